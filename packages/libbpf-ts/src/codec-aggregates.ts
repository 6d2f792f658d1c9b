import { outOfRange, type Part, wrongType } from "./codec.ts";

/** Bytes as they are: what the kernel's `__u8[n]` and C's `unsigned char[n]` mean. A copy on reading. */
export function byteArray(size: number): Part {
  return {
    size,
    read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, size).slice(),
    write: (view, at, value, path) => {
      if (!(value instanceof Uint8Array)) throw wrongType(path, "a Uint8Array", value);
      if (value.length !== size) throw outOfRange(`${path} has ${size} bytes, not ${value.length}`);
      new Uint8Array(view.buffer, view.byteOffset + at, size).set(value);
    },
  };
}

/** A `char[n]`: text up to the first NUL, UTF-8. It may fill the array, and then has no NUL. */
export function text(size: number): Part {
  return {
    size,
    read: (view, at) => {
      const bytes = Buffer.from(view.buffer, view.byteOffset + at, size);
      const end = bytes.indexOf(0);
      return bytes.toString("utf8", 0, end < 0 ? size : end);
    },
    write: (view, at, value, path) => {
      if (typeof value !== "string") throw wrongType(path, "a string", value);
      const bytes = Buffer.from(value, "utf8");
      if (bytes.includes(0)) throw outOfRange(`${path}: a string of C has no NUL inside`);
      if (bytes.length > size) throw outOfRange(`${path} has room for ${size} bytes, not ${bytes.length}`);
      new Uint8Array(view.buffer, view.byteOffset + at, bytes.length).set(bytes);
    },
  };
}

export function array(item: Part, length: number): Part {
  return {
    size: item.size * length,
    read: (view, at) => Array.from({ length }, (_, i) => item.read(view, at + i * item.size)),
    write: (view, at, value, path) => {
      if (!Array.isArray(value)) throw wrongType(path, "an array", value);
      if (value.length !== length) throw outOfRange(`${path} has ${length} elements, not ${value.length}`);
      for (const [i, each] of value.entries()) item.write(view, at + i * item.size, each, `${path}[${i}]`);
    },
  };
}

export interface Member {
  readonly name: string;
  readonly offset: number;
  readonly part: Part;
}

/** As C's designated initialisers: members that are not given are zero. A name that is no member is refused. */
export function struct(size: number, members: readonly Member[]): Part {
  const names = new Set(members.map(({ name }) => name));
  return {
    size,
    read: (view, at) =>
      Object.fromEntries(members.map(({ name, offset, part }) => [name, part.read(view, at + offset)])),
    write: (view, at, value, path) => {
      const given = record(value, path, names);
      for (const { name, offset, part } of members) {
        if (given[name] !== undefined) part.write(view, at + offset, given[name], `${path}.${name}`);
      }
    },
  };
}

/**
 * A union, or a struct with unions inside: members share bytes. All of them are read; of those that are written, two must agree on
 * the bytes that they share, so what was read can be written back.
 */
export function overlapping(size: number, members: readonly Member[]): Part {
  const plain = struct(size, members);
  return {
    ...plain,
    write: (view, at, value, path) => {
      const given = record(value, path, new Set(members.map(({ name }) => name)));
      const into = new Uint8Array(view.buffer, view.byteOffset + at, size);
      const owned = new Uint8Array(size);
      for (const { name, offset, part } of members) {
        if (given[name] === undefined) continue;
        const alone = new Uint8Array(size);
        part.write(new DataView(alone.buffer), offset, given[name], `${path}.${name}`);
        for (let i = 0; i < part.size; i++) {
          const mask = part.mask?.[i] ?? 0xff;
          const byte = (alone[offset + i] as number) & mask;
          const shared = (owned[offset + i] as number) & mask;
          if (((into[offset + i] as number) & shared) !== (byte & shared))
            throw outOfRange(`${path}: ${name} and a member that shares its bytes do not agree on them`);
          into[offset + i] = (into[offset + i] as number) | byte;
          owned[offset + i] = (owned[offset + i] as number) | mask;
        }
      }
    },
  };
}

function record(value: unknown, path: string, names: ReadonlySet<string>): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value))
    throw wrongType(path, "an object", value);
  const stranger = Object.keys(value).find((name) => !names.has(name));
  if (stranger !== undefined) throw outOfRange(`${path} has no member ${stranger}; it has ${[...names].join(", ")}`);
  return value as Record<string, unknown>;
}
