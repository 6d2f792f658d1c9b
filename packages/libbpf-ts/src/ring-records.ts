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

/** A batch of records in one buffer that is theirs alone. */
export class PackedRecords {
  readonly #packed: Uint8Array;
  /** Of the whole batch: a record's members are read at its offset. */
  readonly view: DataView;

  constructor(packed: Uint8Array) {
    this.#packed = packed;
    this.view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  }

  /** Calls `visit` for each record in order, with where in {@link view} it begins and how many bytes it has. */
  forEach(visit: (offset: number, length: number, view: DataView) => void): void {
    const { view } = this;
    const end = this.#packed.length;
    for (let at = 0; at < end; ) {
      const length = view.getUint32(at, true);
      visit(at + HEADER, length, view);
      at += HEADER + ((length + 7) & ~7);
    }
  }

  /** The records, each as a view of the buffer. */
  toArray(): Uint8Array[] {
    return unpackRecords(this.#packed);
  }
}
