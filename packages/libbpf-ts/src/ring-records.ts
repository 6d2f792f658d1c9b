const HEADER = 8;

/** Cuts a batch into its records: each a length (u32, host order), four unused bytes, and the bytes padded to 8. */
export function unpackRecords(packed: Uint8Array): Uint8Array[] {
  const lengths = new Uint32Array(packed.buffer, packed.byteOffset, packed.byteLength / 4);
  const records: Uint8Array[] = [];
  for (let at = 0; at < packed.length; ) {
    const length = lengths[at / 4] as number;
    at += HEADER;
    records.push(packed.subarray(at, at + length));
    at += Math.ceil(length / 8) * 8;
  }
  return records;
}
