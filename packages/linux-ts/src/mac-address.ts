import { LinuxError } from "./errors.ts";

/** Lower-case hexadecimal with colons, of whatever length the device's hardware addresses have; empty for none. */
export function formatMac(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString("hex")
    .replace(/..(?=.)/g, "$&:");
}

/** The six bytes of an Ethernet address. Throws `ERR_INVALID_ARGUMENT`. */
export function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) {
    throw new LinuxError("ERR_INVALID_ARGUMENT", `"${text}" is no Ethernet address: aa:bb:cc:dd:ee:ff was expected`);
  }
  return Uint8Array.from(text.split(":"), (part) => Number.parseInt(part, 16));
}
