import { z } from "zod";
import { plainAddress } from "../lab/addresses.ts";

const address = z.string().transform(plainAddress);

const Record = z.object({
  frontend: z.enum(["outbound", "inbound", "hbone"]),
  /** When it was accepted, in milliseconds since the epoch. */
  accepted: z.number().int(),
  source: address,
  sourcePort: z.number().int(),
  destination: address,
  destinationPort: z.number().int(),
  /** Bytes from the client, and to it. */
  received: z.number().int(),
  sent: z.number().int(),
  /** How the session ended: `--` in order; other letters in section 8.5 of HAProxy's configuration manual. */
  termination: z.string(),
});

/** What a node proxy saw of one connection, known when the connection has ended. */
export type ProxyRecord = z.output<typeof Record>;

/** Reads a line of HAProxy's log; `undefined` for lines that are no record (notices and warnings). */
export function parseProxyRecord(line: string): ProxyRecord | undefined {
  return line.startsWith('{"frontend"') ? Record.parse(JSON.parse(line)) : undefined;
}

/** A record as one line of evidence. */
export const describeRecord = (record: ProxyRecord): string =>
  `${record.frontend} ${record.source} → ${record.destination} port ${record.destinationPort}, ${record.received} B in, ${record.sent} B out`;

/** As {@link describeRecord}, of a session that did not end in order: how it did, and which of the client's it was. */
export const describeTrouble = (record: ProxyRecord): string =>
  `${record.termination} of source port ${record.sourcePort}: ${describeRecord(record)}`;
