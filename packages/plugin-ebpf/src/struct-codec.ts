import { endianness } from "node:os";
import { formatMac } from "linux-ts";

const LITTLE = endianness() === "LE";

/** One member of a C struct: where it is, and how it is read and written. */
export interface Field<T> {
  readonly offset: number;
  readonly size: number;
  read(view: DataView): T;
  write(view: DataView, value: T): void;
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type Padding = Field<undefined>;
type Decoded<F> = {
  readonly [K in keyof F as F[K] extends Padding ? never : K]: F[K] extends Field<infer T> ? T : never;
};

export interface StructCodec<F> {
  readonly size: number;
  readonly fields: F;
  encode(value: Decoded<F>): Uint8Array;
  decode(bytes: Uint8Array): Decoded<F>;
}

export const u8 = (offset: number): Field<number> => ({
  offset,
  size: 1,
  read: (view) => view.getUint8(offset),
  write: (view, value) => view.setUint8(offset, value),
});

export const u16 = (offset: number): Field<number> => ({
  offset,
  size: 2,
  read: (view) => view.getUint16(offset, LITTLE),
  write: (view, value) => view.setUint16(offset, value, LITTLE),
});

export const u32 = (offset: number): Field<number> => ({
  offset,
  size: 4,
  read: (view) => view.getUint32(offset, LITTLE),
  write: (view, value) => view.setUint32(offset, value, LITTLE),
});

export const u64 = (offset: number): Field<bigint> => ({
  offset,
  size: 8,
  read: (view) => view.getBigUint64(offset, LITTLE),
  write: (view, value) => view.setBigUint64(offset, value, LITTLE),
});

/** A port: network byte order. */
export const be16 = (offset: number): Field<number> => ({
  offset,
  size: 2,
  read: (view) => view.getUint16(offset),
  write: (view, value) => view.setUint16(offset, value),
});

/** `size` bytes as they stand. */
export const bytes = (offset: number, size: number): Field<Uint8Array> => ({
  offset,
  size,
  read: (view) => new Uint8Array(view.buffer, view.byteOffset + offset, size).slice(),
  write: (view, value) => new Uint8Array(view.buffer, view.byteOffset + offset, size).set(value),
});

/** Six bytes, in text six lower-case hex pairs with colons. */
export const macAddress = (offset: number): Field<string> => ({
  offset,
  size: 6,
  read: (view) => formatMac(new Uint8Array(view.buffer, view.byteOffset + offset, 6)),
  write: (view, value) => {
    for (const [i, pair] of value.split(":").entries()) view.setUint8(offset + i, Number.parseInt(pair, 16));
  },
});

/** Reserved bytes: always written as zero, never read. */
export const pad = (offset: number, size: number): Padding => ({
  offset,
  size,
  read: () => undefined,
  write: () => {},
});

/** A codec for a C struct of `size` bytes. The names of `fields` are those of the C members. */
export function struct<const F extends { readonly [K in keyof F]: Field<never> | Padding | Fields[string] }>(
  size: number,
  fields: F,
): StructCodec<F> {
  const members = Object.entries(fields) as [string, Field<unknown>][];
  return {
    size,
    fields,
    encode(value) {
      const bytes = new Uint8Array(size);
      const view = new DataView(bytes.buffer);
      for (const [name, field] of members) field.write(view, (value as Record<string, unknown>)[name]);
      return bytes;
    },
    decode(bytes) {
      if (bytes.byteLength !== size)
        throw new RangeError(`a struct of ${size} bytes cannot be read from ${bytes.byteLength}`);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const value: Record<string, unknown> = {};
      for (const [name, field] of members) value[name] = field.read(view);
      return value as Decoded<F>;
    },
  };
}
