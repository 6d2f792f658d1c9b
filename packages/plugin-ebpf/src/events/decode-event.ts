import { decodeAddress } from "../address-codec.ts";
import { eventCodec, PROGRAMS, type ProgramName, VERDICTS } from "../layout.ts";

/** A packet that was dropped or refused, or with which a connection was captured. */
export interface DataPathEvent {
  /** CLOCK_MONOTONIC, in nanoseconds. */
  readonly atNs: bigint;
  readonly program: ProgramName;
  readonly verdict: (typeof VERDICTS)[number];
  /** Addresses as far as the packet could be followed, else `::`; ports of TCP, else 0. */
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  /** Of the program's hook, in its namespace; 0: a lookup in a proxy's. */
  readonly ifindex: number;
  /** Of the frame, without padding; 0: it could not be followed, or is a lookup's. */
  readonly bytes: number;
  /** As in the TCP header (RFC 9293 section 3.1). */
  readonly tcpFlags: number;
}

/** Undefined for what another version of the programs says. */
export function decodeEvent(record: Uint8Array): DataPathEvent | undefined {
  if (record.length !== eventCodec.size) return undefined;
  const event = eventCodec.decode(record);
  const [program, verdict] = [PROGRAMS[event.program], VERDICTS[event.verdict]];
  if (program === undefined || verdict === undefined) return undefined;
  return {
    atNs: event.at_ns,
    program,
    verdict,
    source: decodeAddress(event.source),
    sourcePort: event.source_port,
    destination: decodeAddress(event.destination),
    destinationPort: event.destination_port,
    ifindex: event.ifindex,
    bytes: event.bytes,
    tcpFlags: event.tcp_flags,
  };
}
