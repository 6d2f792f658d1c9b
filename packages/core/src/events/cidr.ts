import { isIPv4 } from "node:net";
import { canonicalAddress } from "./address.ts";

/**
 * The one text form a network has inside Millrace, or undefined when the text is none: the canonical address of its first host, a slash
 * and the prefix length. Bits beyond the prefix are cleared, as netfilter and Go's net.ParseCIDR do; an address alone is a network of one;
 * a network of IPv4-mapped addresses is the IPv4 network.
 */
export function canonicalCidr(text: string): string | undefined {
  const [head = "", length, ...more] = text.split("/");
  const address = head.includes("%") ? undefined : canonicalAddress(head);
  if (address === undefined || more.length > 0) return undefined;
  const bits = isIPv4(address) ? 32 : 128;
  const written = isIPv4(head) ? 32 : 128;
  if (length !== undefined && !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const prefix = (length === undefined ? written : Number(length)) - (written - bits);
  if (prefix < 0 || prefix > bits) return undefined;
  const bytes = bits === 32 ? address.split(".").map(Number) : ipv6Bytes(address);
  const first = bytes.map((byte, index) => byte & (0xff << (8 - Math.min(8, Math.max(0, prefix - index * 8)))) & 0xff);
  return `${textOf(first)}/${prefix}`;
}

/** Of a canonical IPv6 address, which is never IPv4-mapped but may end in dotted decimal all the same (`::1.2.3.4`). */
function ipv6Bytes(address: string): number[] {
  const hex = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a, b, c, d] = parts.slice(0, 4).map(Number) as [number, number, number, number];
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [left = "", right] = hex.split("::");
  const words = (part: string) => (part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16)));
  const head = words(left);
  const tail = right === undefined ? [] : words(right);
  const all = [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
  return all.flatMap((word) => [word >> 8, word & 0xff]);
}

function textOf(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  const words = Array.from({ length: 8 }, (_, index) => {
    return (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16);
  });
  return canonicalAddress(words.join(":")) as string;
}
