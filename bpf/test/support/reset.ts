import { formatAddress } from "linux-ts";
import { expect } from "vitest";
import { ACK, checksum, concat, type Endpoints, isIpv6, PROTOCOL, pseudoHeader, RST } from "./frames.ts";

/** What an RST says: without an `acknowledgement` it has no ACK either. */
export interface Reset {
  readonly sequence: number;
  readonly acknowledgement?: number;
}

/** Checks all of an RST without options that answers `sent`: turned round, right lengths, right checksums, as many hops as a new packet. */
export function expectReset(frame: Uint8Array, sent: Uint8Array, ends: Endpoints, reset: Reset): void {
  const v6 = isIpv6(ends.source);
  const header = v6 ? 40 : 20;
  const view = new DataView(frame.buffer, frame.byteOffset);
  expect(frame).toHaveLength(14 + header + 20);
  expect(concat(frame.subarray(6, 12), frame.subarray(0, 6), frame.subarray(12, 14))).toEqual(sent.subarray(0, 14));
  expect(view.getUint16(v6 ? 18 : 16)).toBe(v6 ? 20 : 40);
  expect(frame[v6 ? 21 : 22]).toBe(64);
  if (!v6) expect(checksum(frame.subarray(14, 34))).toBe(0);
  const [first, width] = v6 ? [22, 16] : [26, 4];
  expect(formatAddress(frame.subarray(first, first + width))).toBe(ends.destination);
  expect(formatAddress(frame.subarray(first + width, first + 2 * width))).toBe(ends.source);
  const tcp = 14 + header;
  expect([view.getUint16(tcp), view.getUint16(tcp + 2)]).toEqual([ends.destinationPort, ends.sourcePort]);
  expect([view.getUint32(tcp + 4), view.getUint32(tcp + 8)]).toEqual([reset.sequence, reset.acknowledgement ?? 0]);
  const flags = reset.acknowledgement === undefined ? RST : RST | ACK;
  expect(frame.subarray(tcp + 12, tcp + 14)).toEqual(Uint8Array.of(0x50, flags));
  expect(checksum(concat(pseudoHeader(ends.destination, ends.source, PROTOCOL.tcp, 20), frame.subarray(tcp)))).toBe(0);
}
