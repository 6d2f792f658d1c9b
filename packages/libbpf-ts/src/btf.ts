import { ownError } from "./errors.ts";

/** A type id within one {@link Btf}; 0 is `void`. */
export type BtfId = number;

export interface BtfMember {
  /** Empty for an anonymous struct or union. */
  readonly name: string;
  readonly type: BtfId;
  readonly bitOffset: number;
  /** Of a bit field; 0 for any other member. */
  readonly bitSize: number;
}

/** A type as the compiler described it: `struct btf_type` of include/uapi/linux/btf.h, Documentation/bpf/btf.rst. Sizes in bytes. */
export type BtfType =
  | { readonly kind: "void" }
  | { readonly kind: "int"; readonly name: string; readonly size: number; readonly encoding: IntEncoding }
  | { readonly kind: "float"; readonly name: string; readonly size: number }
  | { readonly kind: "array"; readonly type: BtfId; readonly length: number }
  | {
      readonly kind: "struct" | "union";
      readonly name: string;
      readonly size: number;
      readonly members: readonly BtfMember[];
    }
  | {
      readonly kind: "enum" | "enum64";
      readonly name: string;
      readonly size: number;
      readonly signed: boolean;
      readonly values: readonly { readonly name: string; readonly value: bigint }[];
    }
  | {
      readonly kind: "datasec";
      readonly name: string;
      readonly size: number;
      readonly variables: readonly { readonly type: BtfId; readonly offset: number; readonly size: number }[];
    }
  | {
      readonly kind: Modifier | "ptr" | "fwd" | "func" | "func_proto" | "var" | "decl_tag";
      readonly name: string;
      readonly type: BtfId;
    };

export type IntEncoding = "unsigned" | "signed" | "char" | "bool";
type Modifier = "typedef" | "volatile" | "const" | "restrict" | "type_tag";

/** `BTF_KIND_…` in the order of their numbers. */
const KINDS = [
  "void",
  "int",
  "ptr",
  "array",
  "struct",
  "union",
  "enum",
  "fwd",
  "typedef",
  "volatile",
  "const",
  "restrict",
  "func",
  "func_proto",
  "var",
  "datasec",
  "float",
  "decl_tag",
  "type_tag",
  "enum64",
] as const;
const MODIFIERS: ReadonlySet<string> = new Set<Modifier>(["typedef", "volatile", "const", "restrict", "type_tag"]);

const MAGIC = 0xeb9f;
/** Types nest; modifiers and arrays of arrays deeper than this are no compiler's work. */
export const MAX_DEPTH = 64;

/** The types of a BPF object or of a loaded map. */
export class Btf {
  readonly types: readonly BtfType[];

  private constructor(types: readonly BtfType[]) {
    this.types = types;
  }

  /**
   * Reads the `.BTF` section's bytes, in this machine's byte order.
   * @throws {LibbpfError} ERR_BTF (no BTF, or damaged)
   */
  static parse(bytes: Uint8Array): Btf {
    try {
      return new Btf(new Reader(bytes).types());
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw ownError("ERR_BTF", `the type information is damaged: ${cause.message}`, { cause });
    }
  }

  /** @throws {LibbpfError} ERR_BTF */
  type(id: BtfId): BtfType {
    const type = this.types[id];
    if (type === undefined) throw ownError("ERR_BTF", `the type information has no type ${id}`);
    return type;
  }

  /** Id of the first type of that kind and name. @throws {LibbpfError} ERR_NOT_FOUND */
  find(kind: BtfType["kind"], name: string): BtfId {
    const id = this.types.findIndex((type) => type.kind === kind && "name" in type && type.name === name);
    if (id < 0) throw ownError("ERR_NOT_FOUND", `the type information has no ${kind} ${name}`);
    return id;
  }

  /** The type behind typedefs, `const` and the like, and the names of the typedefs on the way. */
  resolve(id: BtfId): { readonly id: BtfId; readonly type: BtfType; readonly typedefs: readonly string[] } {
    const typedefs: string[] = [];
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      const type = this.type(id);
      if (!MODIFIERS.has(type.kind)) return { id, type, typedefs };
      const { name, type: next } = type as Extract<BtfType, { kind: Modifier }>;
      if (type.kind === "typedef") typedefs.push(name);
      id = next;
    }
    throw ownError("ERR_BTF", `type ${id} refers to itself`);
  }

  /** Size in bytes. @throws {LibbpfError} ERR_BTF (a type without a size: a function, or one that is only declared) */
  sizeOf(id: BtfId, depth = 0): number {
    const { type } = this.resolve(id);
    if ("size" in type) return type.size;
    if (type.kind === "ptr") return 8;
    if (type.kind === "array" && depth < MAX_DEPTH) return type.length * this.sizeOf(type.type, depth + 1);
    throw ownError("ERR_BTF", `a ${type.kind} has no size`);
  }
}

/** Walks the section; every read past its end is a RangeError. */
class Reader {
  readonly #view: DataView;
  readonly #strings: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (view.getUint16(0, true) !== MAGIC) throw new RangeError("it does not begin with BTF's magic number");
    const [header, typesAt, typesSize, stringsAt, stringsSize] = [4, 8, 12, 16, 20].map((at) =>
      view.getUint32(at, true),
    );
    this.#at = (header as number) + (typesAt as number);
    this.#end = this.#at + (typesSize as number);
    const strings = (header as number) + (stringsAt as number);
    this.#strings = bytes.subarray(strings, strings + (stringsSize as number));
    if (this.#end > bytes.length) throw new RangeError("its types go past its end");
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, this.#end);
  }

  types(): BtfType[] {
    const types: BtfType[] = [{ kind: "void" }];
    while (this.#at < this.#end) types.push(this.#type());
    return types;
  }

  #type(): BtfType {
    const name = this.#string(this.#u32());
    const info = this.#u32();
    const sizeOrType = this.#u32();
    const kind = KINDS[(info >>> 24) & 0x1f];
    const count = info & 0xffff;
    const flag = info >>> 31 === 1;
    switch (kind) {
      case "int":
        return { kind, name, size: sizeOrType, encoding: intEncoding(name, this.#u32()) };
      case "float":
        return { kind, name, size: sizeOrType };
      case "array": {
        const type = this.#u32();
        this.#u32(); // the index's type
        return { kind, type, length: this.#u32() };
      }
      case "struct":
      case "union":
        return { kind, name, size: sizeOrType, members: this.#list(count, () => this.#member(flag)) };
      case "enum":
        return { kind, name, size: sizeOrType, signed: flag, values: this.#list(count, () => this.#enumerator(flag)) };
      case "enum64":
        return {
          kind,
          name,
          size: sizeOrType,
          signed: flag,
          values: this.#list(count, () => this.#enumerator64(flag)),
        };
      case "datasec":
        return {
          kind,
          name,
          size: sizeOrType,
          variables: this.#list(count, () => ({ type: this.#u32(), offset: this.#u32(), size: this.#u32() })),
        };
      case "func_proto":
        this.#list(count, () => [this.#u32(), this.#u32()]);
        return { kind, name, type: sizeOrType };
      case "var":
      case "decl_tag":
        this.#u32(); // linkage; component
        return { kind, name, type: sizeOrType };
      case "void":
      case undefined:
        throw new RangeError(`kind ${(info >>> 24) & 0x1f} is not known`);
      default:
        return { kind, name, type: sizeOrType };
    }
  }

  #member(hasBitFields: boolean): BtfMember {
    const name = this.#string(this.#u32());
    const type = this.#u32();
    const offset = this.#u32();
    if (!hasBitFields) return { name, type, bitOffset: offset, bitSize: 0 };
    return { name, type, bitOffset: offset & 0xff_ffff, bitSize: offset >>> 24 };
  }

  #enumerator(signed: boolean) {
    const name = this.#string(this.#u32());
    const value = this.#u32();
    return { name, value: BigInt(signed ? value | 0 : value) };
  }

  #enumerator64(signed: boolean) {
    const name = this.#string(this.#u32());
    const value = BigInt(this.#u32()) | (BigInt(this.#u32()) << 32n);
    return { name, value: signed ? BigInt.asIntN(64, value) : value };
  }

  #list<T>(count: number, read: () => T): T[] {
    return Array.from({ length: count }, read);
  }

  #u32(): number {
    const value = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    return value;
  }

  #string(offset: number): string {
    const end = this.#strings.indexOf(0, offset);
    if (offset >= this.#strings.length || end < 0) throw new RangeError(`no name at ${offset}`);
    return Buffer.from(this.#strings.subarray(offset, end)).toString("utf8");
  }
}

/** `BTF_INT_ENCODING`. clang never sets the bit for `char`, so its name has to do; `unsigned char` is a number. */
function intEncoding(name: string, data: number): IntEncoding {
  const bits = (data >>> 24) & 0xf;
  if (bits & 4) return "bool";
  if (bits & 2 || name === "char") return "char";
  return bits & 1 ? "signed" : "unsigned";
}
