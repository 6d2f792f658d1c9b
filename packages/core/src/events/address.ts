import { isIP, isIPv4, SocketAddress } from "node:net";

const MAPPED_V4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/;

/**
 * The one text form an IP address has inside Millrace, or undefined when the text is not an address: dotted decimal for IPv4, RFC 5952
 * for IPv6, no zone, and IPv4-mapped IPv6 (RFC 4291 sec. 2.5.5.2) as IPv4.
 */
export function canonicalAddress(text: string): string | undefined {
  let canonical = known.get(text);
  if (canonical === undefined) {
    canonical = read(text);
    if (known.size >= KNOWN) known.clear();
    if (canonical !== undefined) known.set(text, canonical);
  }
  return canonical;
}

/** A node has a few hundred addresses, and tells each of them again and again. */
const KNOWN = 4096;
const known = new Map<string, string>();

function read(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (isIP(text) === 0) return undefined;
  const zone = text.indexOf("%");
  const address = new SocketAddress({ family: "ipv6", address: zone < 0 ? text : text.slice(0, zone) }).address;
  return MAPPED_V4.exec(address)?.[1] ?? address;
}

/** Sorted by code unit, without repetitions: the order every list of names and addresses has, whatever the locale. */
export function sortedUnique(texts: Iterable<string>): string[] {
  const list = [...texts];
  // Nearly always it is in order already; this is asked for every address list of every event.
  const inOrder = list.every((text, index) => index === 0 || (list[index - 1] as string) < text);
  return inOrder ? list : [...new Set(list)].sort(byCodeUnit);
}

/** Compares by UTF-16 code unit, as `sort()` does by default; `localeCompare` would differ between hosts. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
