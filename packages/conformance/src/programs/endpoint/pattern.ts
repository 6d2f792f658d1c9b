import { createHash } from "node:crypto";

/** Bytes that repeat with a period no buffer size shares (a prime), so that lost or doubled pieces show. */
const PERIOD = 65_521;
const BLOCK = Buffer.from(Array.from({ length: PERIOD }, (_, index) => (index * 131 + (index >> 8) * 17) & 0xff));

/** `length` bytes of the pattern, from `offset`. */
export function pattern(length: number, offset = 0): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const at = (offset + done) % PERIOD;
    done += BLOCK.copy(bytes, done, at, Math.min(PERIOD, at + length - done));
  }
  return bytes;
}

/** SHA-256 of the pattern's first `length` bytes, in hex. */
export function patternDigest(length: number): string {
  const hash = createHash("sha256");
  for (let done = 0; done < length; done += PERIOD) hash.update(pattern(Math.min(PERIOD, length - done), done));
  return hash.digest("hex");
}
