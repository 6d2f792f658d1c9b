/** Turns values of a C type into bytes and back. */
export interface Codec<T> {
  /** Bytes of one value. */
  readonly size: number;
  /** @throws {TypeError | RangeError} ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE: the message names the member */
  encode(value: T): Uint8Array;
  /** @throws {RangeError} ERR_OUT_OF_RANGE: not `size` bytes */
  decode(bytes: Uint8Array): T;
}

/** A type at some place inside of another one. `path` names that place in errors. */
export interface Part {
  readonly size: number;
  /** Which bits of its bytes are its own, where that is not all of them. */
  readonly mask?: Uint8Array;
  read(view: DataView, at: number): unknown;
  write(view: DataView, at: number, value: unknown, path: string): void;
}

/** A codec for a whole key or value. */
export function codecOf<T>(part: Part, name: string): Codec<T> {
  return {
    size: part.size,
    encode(value) {
      const bytes = new Uint8Array(part.size);
      part.write(new DataView(bytes.buffer), 0, value, name);
      return bytes;
    },
    decode(bytes) {
      if (bytes.length !== part.size) throw outOfRange(`${name} has ${part.size} bytes, not ${bytes.length}`);
      return part.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0) as T;
    },
  };
}

export function outOfRange(message: string): RangeError {
  return Object.assign(new RangeError(message), { code: "ERR_OUT_OF_RANGE" });
}

export function wrongType(path: string, expected: string, value: unknown): TypeError {
  const found = value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
  return Object.assign(new TypeError(`${path}: expected ${expected}, found ${found}`), {
    code: "ERR_INVALID_ARG_TYPE",
  });
}
