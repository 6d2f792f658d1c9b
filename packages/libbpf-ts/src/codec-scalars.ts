import { outOfRange, type Part, wrongType } from "./codec.ts";

export interface IntegerShape {
  /** 1, 2, 4, 8 or 16 bytes. */
  readonly size: number;
  readonly signed: boolean;
  /** Least significant byte first, as on every machine that Node and BPF share; false for the kernel's `__be16`, `__be32`, `__be64`. */
  readonly little: boolean;
}

/** An integer: a number up to 32 bits, a bigint beyond. Where a bigint is read, a number may be written. */
export function integer({ size, signed, little }: IntegerShape): Part {
  const [least, greatest] = range(size * 8, signed);
  if (size > 4) return wide(size, signed, little, least, greatest);
  const type = `${signed ? "Int" : "Uint"}${(size * 8) as 8 | 16 | 32}` as const;
  return {
    size,
    read: (view, at) => view[`get${type}`](at, little),
    write: (view, at, value, path) => view[`set${type}`](at, Number(whole(value, least, greatest, path)), little),
  };
}

function wide(size: number, signed: boolean, little: boolean, least: bigint, greatest: bigint): Part {
  const words = size / 8;
  const offset = (word: number) => (little ? word : words - 1 - word) * 8;
  return {
    size,
    read: (view, at) => {
      let value = 0n;
      for (let word = words - 1; word >= 0; word--) {
        value = (value << 64n) | view.getBigUint64(at + offset(word), little);
      }
      return signed ? BigInt.asIntN(size * 8, value) : value;
    },
    write: (view, at, value, path) => {
      const all = whole(value, least, greatest, path);
      for (let word = 0; word < words; word++) {
        view.setBigUint64(at + offset(word), BigInt.asUintN(64, all >> BigInt(64 * word)), little);
      }
    },
  };
}

export const boolean: Part = {
  size: 1,
  read: (view, at) => view.getUint8(at) !== 0,
  write: (view, at, value, path) => {
    if (typeof value !== "boolean") throw wrongType(path, "a boolean", value);
    view.setUint8(at, value ? 1 : 0);
  },
};

export function float(size: 4 | 8): Part {
  const type = `Float${size === 4 ? 32 : 64}` as const;
  return {
    size,
    read: (view, at) => view[`get${type}`](at, true),
    write: (view, at, value, path) => {
      if (typeof value !== "number") throw wrongType(path, "a number", value);
      view[`set${type}`](at, value, true);
    },
  };
}

/** An enumeration: the enumerator's name, or the number where it has none. Either may be written. */
export function enumeration(
  shape: IntegerShape,
  values: readonly { readonly name: string; readonly value: bigint }[],
): Part {
  const number = integer(shape);
  const names = new Map(values.map(({ name, value }) => [value, name]));
  const numbers = new Map(values.map(({ name, value }) => [name, value]));
  return {
    size: shape.size,
    read: (view, at) => {
      const value = number.read(view, at) as number | bigint;
      return names.get(BigInt(value)) ?? value;
    },
    write: (view, at, value, path) => {
      const known = typeof value === "string" ? numbers.get(value) : value;
      if (known === undefined)
        throw outOfRange(`${path}: no enumerator ${String(value)}; there are ${[...numbers.keys()].join(", ")}`);
      number.write(view, at, known, path);
    },
  };
}

/** A bit field of up to 64 bits that begins at that bit of its first byte, counted from the least significant one. */
export function bitField(firstBit: number, bits: number, signed: boolean): Part {
  const [least, greatest] = range(bits, signed);
  const shift = BigInt(firstBit);
  const bytes = Math.ceil((firstBit + bits) / 8);
  const mask = ((1n << BigInt(bits)) - 1n) << shift;
  const load = (view: DataView, at: number) => {
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(at + i));
    return value;
  };
  return {
    size: bytes,
    mask: Uint8Array.from({ length: bytes }, (_, i) => Number((mask >> BigInt(8 * i)) & 0xffn)),
    read: (view, at) => {
      const raw = (load(view, at) & mask) >> shift;
      const value = signed ? BigInt.asIntN(bits, raw) : raw;
      return bits > 32 ? value : Number(value);
    },
    write: (view, at, value, path) => {
      const field = (whole(value, least, greatest, path) << shift) & mask;
      const merged = (load(view, at) & ~mask) | field;
      for (let i = 0; i < bytes; i++) view.setUint8(at + i, Number((merged >> BigInt(8 * i)) & 0xffn));
    },
  };
}

function range(bits: number, signed: boolean): [least: bigint, greatest: bigint] {
  return signed ? [-(1n << BigInt(bits - 1)), (1n << BigInt(bits - 1)) - 1n] : [0n, (1n << BigInt(bits)) - 1n];
}

/** A whole number in range: a DataView would cut off the rest in silence. */
function whole(value: unknown, least: bigint, greatest: bigint, path: string): bigint {
  if (typeof value !== "number" && typeof value !== "bigint") throw wrongType(path, "an integer", value);
  if (typeof value === "number" && !Number.isSafeInteger(value))
    throw outOfRange(`${path}: ${value} is no whole number that can be told exactly`);
  const exact = BigInt(value);
  if (exact < least || exact > greatest) throw outOfRange(`${path}: ${value} is not in ${least}…${greatest}`);
  return exact;
}
