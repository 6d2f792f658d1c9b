import { endianness } from "node:os";
import { LinuxError } from "./errors.ts";

/** Netlink is in the byte order of the machine, but for fields that say otherwise. */
export const littleEndian: boolean = endianness() === "LE";

/** NLA_ALIGNTO, NLA_HDRLEN (include/uapi/linux/netlink.h). */
const headerLength = 4;
/** NLA_TYPE_MASK: without NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const typeMask = 0x3fff;
/** NLA_F_NESTED. Required in nests by families with strict validation; old ones ignore it. */
const nested = 0x8000;

export function align4(length: number): number {
  return (length + 3) & ~3;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The first `length` bytes, as a struct to read fields from; shorter is ERR_MALFORMED. */
export function structOf(bytes: Uint8Array, length: number, name: string): DataView {
  if (bytes.length < length) {
    throw tooShort(name, bytes.length, length);
  }
  return new DataView(bytes.buffer, bytes.byteOffset, length);
}

function tooShort(name: string, length: number, expected: number): LinuxError {
  return new LinuxError("ERR_MALFORMED", `${name} has ${length} bytes, ${expected} were expected`);
}

/** One for all: making a decoder costs more than what it decodes here. */
const decoder = new TextDecoder();

/**
 * Attributes by type. The last of a type wins, as in the kernel's nla_parse (lib/nlattr.c). Where they are is noted, and each is cut out when it is asked
 * for: a link has some fifty, of which a reader wants seven, and a node on which pods start hears of links all the time.
 */
export class Attributes {
  readonly #view: DataView;
  /** Where each begins, its header included. */
  readonly #offsets: ReadonlyMap<number, number>;

  private constructor(view: DataView, offsets: ReadonlyMap<number, number>) {
    this.#view = view;
    this.#offsets = offsets;
  }

  /** Throws `ERR_MALFORMED` for an attribute that is shorter than its header or longer than what is left. */
  static parse(bytes: Uint8Array): Attributes {
    const offsets = new Map<number, number>();
    const view = viewOf(bytes);
    for (let offset = 0; offset < bytes.length; ) {
      const left = bytes.length - offset;
      const length = left < headerLength ? left : view.getUint16(offset, littleEndian);
      if (length < headerLength || length > left) {
        throw new LinuxError("ERR_MALFORMED", `netlink attribute at ${offset} claims ${length} of ${left} bytes`);
      }
      const type = view.getUint16(offset + 2, littleEndian) & typeMask;
      offsets.set(type, offset);
      offset += align4(length);
    }
    return new Attributes(view, offsets);
  }

  types(): number[] {
    return [...this.#offsets.keys()];
  }

  bytes(type: number): Uint8Array | undefined {
    const offset = this.#offsets.get(type);
    if (offset === undefined) return undefined;
    const { buffer, byteOffset } = this.#view;
    return new Uint8Array(buffer, byteOffset + offset + headerLength, this.#lengthAt(offset));
  }

  u8(type: number): number | undefined {
    const at = this.#valueOf(type, 1);
    return at === undefined ? undefined : this.#view.getUint8(at);
  }

  u16(type: number): number | undefined {
    const at = this.#valueOf(type, 2);
    return at === undefined ? undefined : this.#view.getUint16(at, littleEndian);
  }

  u16be(type: number): number | undefined {
    const at = this.#valueOf(type, 2);
    return at === undefined ? undefined : this.#view.getUint16(at, false);
  }

  u32(type: number): number | undefined {
    const at = this.#valueOf(type, 4);
    return at === undefined ? undefined : this.#view.getUint32(at, littleEndian);
  }

  s32(type: number): number | undefined {
    const at = this.#valueOf(type, 4);
    return at === undefined ? undefined : this.#view.getInt32(at, littleEndian);
  }

  u64be(type: number): bigint | undefined {
    const at = this.#valueOf(type, 8);
    return at === undefined ? undefined : this.#view.getBigUint64(at, false);
  }

  /** NUL-terminated or not: both are in use. */
  string(type: number): string | undefined {
    const bytes = this.bytes(type);
    if (bytes === undefined) return undefined;
    const end = bytes.indexOf(0);
    return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  nested(type: number): Attributes | undefined {
    const bytes = this.bytes(type);
    return bytes === undefined ? undefined : Attributes.parse(bytes);
  }

  /** Where a value of at least `length` bytes is; shorter is ERR_MALFORMED. */
  #valueOf(type: number, length: number): number | undefined {
    const offset = this.#offsets.get(type);
    if (offset === undefined) return undefined;
    const present = this.#lengthAt(offset);
    if (present < length) throw tooShort(`netlink attribute ${type}`, present, length);
    return offset + headerLength;
  }

  #lengthAt(offset: number): number {
    return this.#view.getUint16(offset, littleEndian) - headerLength;
  }
}

/** Builds the payload of a message: first the fixed struct of its family, then attributes. Methods chain. */
export class PayloadWriter {
  readonly #parts: Uint8Array[] = [];

  /** A struct of `length` bytes, zero but for what `fill` writes. */
  struct(length: number, fill?: (view: DataView) => void): this {
    const bytes = new Uint8Array(align4(length));
    fill?.(viewOf(bytes));
    this.#parts.push(bytes);
    return this;
  }

  attribute(type: number, value: Uint8Array): this {
    const bytes = new Uint8Array(align4(headerLength + value.length));
    const view = viewOf(bytes);
    view.setUint16(0, headerLength + value.length, littleEndian);
    view.setUint16(2, type, littleEndian);
    bytes.set(value, headerLength);
    this.#parts.push(bytes);
    return this;
  }

  u8(type: number, value: number): this {
    return this.attribute(type, Uint8Array.of(value));
  }

  u32(type: number, value: number): this {
    const bytes = new Uint8Array(4);
    viewOf(bytes).setUint32(0, value, littleEndian);
    return this.attribute(type, bytes);
  }

  s32(type: number, value: number): this {
    return this.u32(type, value >>> 0);
  }

  string(type: number, value: string): this {
    return this.attribute(type, new TextEncoder().encode(`${value}\0`));
  }

  nested(type: number, inner: PayloadWriter): this {
    return this.attribute(type | nested, inner.finish());
  }

  finish(): Uint8Array {
    const bytes = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of this.#parts) {
      bytes.set(part, offset);
      offset += part.length;
    }
    return bytes;
  }
}
