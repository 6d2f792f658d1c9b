import type { Judgement } from "./oracle.ts";

/**
 * The RST that answers a TCP frame (RFC 9293 section 3.10.7.1), written from the RFCs alone as the oracle is: it shares no line with the programs.
 * Checksums are the same if they differ by 0xffff: zero has two forms in their arithmetic (RFC 1624 section 3).
 */
export interface Answer {
  readonly frame: Uint8Array;
  /** Where in it the checksums are. */
  readonly checksums: readonly number[];
}

const [ETHERNET, TCP_HEADER, HOPS] = [14, 20, 64];
const [FIN, SYN, RST, ACK] = [0x01, 0x02, 0x04, 0x10];
const ONES = 0xffff;

const flagsOf = (frame: Uint8Array, { offset }: Judgement): number => frame[offset + 13] ?? 0;
export const isReset = (frame: Uint8Array, judgement: Judgement): boolean => (flagsOf(frame, judgement) & RST) !== 0;
/** The first packet of a connection. */
export const isSyn = (frame: Uint8Array, judgement: Judgement): boolean =>
  (flagsOf(frame, judgement) & (SYN | ACK)) === SYN;

export function answerTo(frame: Uint8Array, judgement: Judgement): Answer {
  const { offset, end } = judgement;
  const answer = new Uint8Array(offset + TCP_HEADER);
  answer.set(frame.subarray(0, offset));
  const [was, view] = [new DataView(frame.buffer, frame.byteOffset), new DataView(answer.buffer)];
  const isIpv4 = was.getUint16(12) === 0x0800;
  const [addresses, width] = isIpv4 ? [ETHERNET + 12, 4] : [ETHERNET + 8, 16];
  exchange(answer, frame, 0, 6);
  exchange(answer, frame, addresses, width);
  answer[ETHERNET + (isIpv4 ? 8 : 7)] = HOPS;
  if (isIpv4) view.setUint16(ETHERNET + 2, answer.length - ETHERNET);
  else view.setUint16(ETHERNET + 4, answer.length - ETHERNET - 40);

  const flags = flagsOf(frame, judgement);
  const data = end - offset - ((frame[offset + 12] ?? 0) >> 4) * 4;
  view.setUint16(offset, was.getUint16(offset + 2));
  view.setUint16(offset + 2, was.getUint16(offset));
  view.setUint32(offset + 4, flags & ACK ? was.getUint32(offset + 8) : 0);
  const next = was.getUint32(offset + 4) + data + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
  view.setUint32(offset + 8, flags & ACK ? 0 : next % 2 ** 32);
  answer[offset + 12] = (TCP_HEADER / 4) << 4;
  answer[offset + 13] = flags & ACK ? RST : RST | ACK;

  const pseudo = sum(answer, addresses, 2 * width) + TCP_HEADER + 6;
  const tcpChecksum = offset + 16;
  view.setUint16(tcpChecksum, ONES - ((pseudo + sum(answer, offset, TCP_HEADER)) % ONES));
  if (!isIpv4) return { frame: answer, checksums: [tcpChecksum] };
  // What was wrong stays wrong: whoever changes a header says by how much.
  const ipChecksum = ETHERNET + 10;
  view.setUint16(ipChecksum, 0);
  const change = sum(answer, ETHERNET, 20) - sum(frame, ETHERNET, 20);
  view.setUint16(ipChecksum, ONES - (((change % ONES) + ONES) % ONES));
  return { frame: answer, checksums: [ipChecksum, tcpChecksum] };
}

export function isAnswer(found: Uint8Array, { frame, checksums }: Answer): boolean {
  if (found.length !== frame.length) return false;
  const [left, right] = [Uint8Array.from(found), Uint8Array.from(frame)];
  for (const bytes of [left, right]) {
    const view = new DataView(bytes.buffer);
    for (const at of checksums) view.setUint16(at, view.getUint16(at) % ONES);
  }
  return Buffer.compare(left, right) === 0;
}

/** Two neighbours of this width change places. */
function exchange(to: Uint8Array, from: Uint8Array, at: number, width: number): void {
  to.set(from.subarray(at + width, at + 2 * width), at);
  to.set(from.subarray(at, at + width), at + width);
}

/** Of 16-bit words; an even number of bytes. */
function sum(bytes: Uint8Array, at: number, length: number): number {
  let total = 0;
  for (let place = at; place < at + length; place += 2) total += ((bytes[place] ?? 0) << 8) + (bytes[place + 1] ?? 0);
  return total;
}
