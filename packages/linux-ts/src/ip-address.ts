import { isIPv4, isIPv6 } from "node:net";
import { LinuxError } from "./errors.ts";

export type Family = 4 | 6;

/** AF_INET, AF_INET6 (include/linux/socket.h). */
export const addressFamily: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };

/** The family of an AF_* number; undefined for other families, whose messages the readers pass over. */
export function familyOf(af: number): Family | undefined {
  if (af === 2) return 4;
  return af === 10 ? 6 : undefined;
}

/** 4 or 16 bytes in network order. Throws `ERR_INVALID_ARGUMENT` for anything else than one address: zones and prefixes too. */
export function parseAddress(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  if (!isIPv6(text) || text.includes("%")) {
    throw new LinuxError("ERR_INVALID_ARGUMENT", `"${text}" is no IP address`);
  }
  return parseIPv6(text);
}

/** `text` is known to be valid. */
function parseIPv6(text: string): Uint8Array {
  const [head = "", tail] = text.split("::");
  const front = groupsOf(head);
  const back = tail === undefined ? [] : groupsOf(tail);
  const groups = [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}

/**
 * Canonical text of 4 or 16 bytes: dotted decimal, or RFC 5952, with the IPv4 part of ::ffff:0:0/96 dotted (its section 5). Written
 * without lists in between: whole maps of addresses are read while a pod waits.
 */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return dotted(bytes, 0);
  if (bytes.length !== 16) {
    throw new LinuxError("ERR_MALFORMED", `an IP address has 4 or 16 bytes, not ${bytes.length}`);
  }
  const { start, length } = longestZeroRun(bytes);
  if (start === 0 && length === 5 && groupAt(bytes, 5) === 0xffff) return `::ffff:${dotted(bytes, 12)}`;
  // RFC 5952 section 4.2.2: one group alone is not shortened.
  const end = length < 2 ? 0 : start + length;
  let text = "";
  for (let i = 0; i < 8; i++) {
    if (i === start && end > 0) text += "::";
    if (i >= start && i < end) continue;
    if (i > 0 && i !== end) text += ":";
    text += groupAt(bytes, i).toString(16);
  }
  return text;
}

const dotted = (bytes: Uint8Array, at: number): string =>
  `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;

const groupAt = (bytes: Uint8Array, i: number): number => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0);

/** RFC 5952 section 4.2.3: of equal runs the first. */
function longestZeroRun(bytes: Uint8Array): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (let i = 0; i < 8; i++) {
    length = groupAt(bytes, i) === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: i + 1 - length, length };
  }
  return best;
}

export interface Prefix {
  family: Family;
  bytes: Uint8Array;
  length: number;
}

/** `198.18.0.0/15`; without a length the whole address. Throws `ERR_INVALID_ARGUMENT`, also when bits behind the length are set. */
export function parsePrefix(text: string): Prefix {
  const [address = "", lengthText, ...more] = text.split("/");
  const bytes = parseAddress(address);
  const bits = bytes.length * 8;
  const length = lengthText === undefined ? bits : Number(lengthText);
  if (more.length > 0 || (lengthText !== undefined && !/^(0|[1-9]\d{0,2})$/.test(lengthText)) || length > bits) {
    throw new LinuxError("ERR_INVALID_ARGUMENT", `"${text}" is no prefix: <address>/<0 to ${bits}> was expected`);
  }
  if (bytes.some((byte, i) => (byte & (0xff >> Math.min(8, Math.max(0, length - 8 * i)))) !== 0)) {
    throw new LinuxError("ERR_INVALID_ARGUMENT", `"${text}" has bits set behind the prefix length`);
  }
  return { family: bytes.length === 4 ? 4 : 6, bytes, length };
}

/** Undefined bytes stand for the zero address, as an absent attribute does in rtnetlink. */
export function formatPrefix(family: Family, bytes: Uint8Array | undefined, length: number): string {
  return `${formatAddress(bytes ?? new Uint8Array(family === 4 ? 4 : 16))}/${length}`;
}
