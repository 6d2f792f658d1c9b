import { formatAddress, parseAddress } from "linux-ts";

/** `struct address`: 16 bytes in network byte order, IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
export const ADDRESS_SIZE = 16;

const MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** Bytes of an address given in any text form. Throws linux-ts's `ERR_INVALID_ARGUMENT`. */
export function encodeAddress(text: string): Uint8Array {
  const bytes = parseAddress(text);
  return bytes.length === ADDRESS_SIZE ? bytes : Uint8Array.of(...MAPPED, ...bytes);
}

/** The one text form that the address has everywhere in Millrace: dotted for mapped IPv4, RFC 5952 for IPv6. */
export function decodeAddress(bytes: Uint8Array): string {
  const text = formatAddress(bytes);
  // RFC 5952 section 5: of what we write, only ::ffff:0:0/96 has dots.
  return text.includes(".") ? text.slice("::ffff:".length) : text;
}
