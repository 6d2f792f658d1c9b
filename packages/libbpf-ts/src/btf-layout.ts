import { type Btf, type BtfId, type BtfType, MAX_DEPTH } from "./btf.ts";
import { ownError } from "./errors.ts";

/** A member that is no struct, or an array of such: where it is and what it is. */
export interface LayoutField {
  /** Names from the outside in, `points[].x`; empty for a type that is no struct. */
  readonly path: string;
  readonly bitOffset: number;
  readonly bits: number;
  /** `u32`, `s8`, `be16`, `bool`, `char`, `enum32`, `f64`, `ptr`, with `[n]` for an array. Not the names of types: they do not count. */
  readonly kind: string;
}

/** Of a key or a value. */
export interface TypeLayout {
  /** Bytes. */
  readonly size: number;
  readonly fields: readonly LayoutField[];
}

/** Members of these names are nobody's: other layouts may use their bytes. */
const RESERVED = /^(_|reserved|padding|pad\d*$|unused)/;

/**
 * Where a type's members are.
 * @throws {LibbpfError} ERR_BTF (a type that has no values)
 */
export function layoutOf(btf: Btf, id: BtfId): TypeLayout {
  return { size: btf.sizeOf(id), fields: fieldsOf(btf, id, "", 0, 0) };
}

/**
 * How an existing layout differs from the declared one, a phrase for each member; none when programs and user space that know the
 * one can work with data of the other. Names count, because a member of another name has another meaning. Bytes that one of them
 * has reserved (members named `reserved…`, `pad`, `padding…`, `unused…`, `_…`, and gaps) may have a use in the other.
 */
export function layoutDifferences(declared: TypeLayout, existing: TypeLayout, name: string): string[] {
  if (declared.size !== existing.size) return [`${name} has ${existing.size} bytes, declared ${declared.size}`];
  return declared.fields
    .filter((field) => !existing.fields.some((other) => same(field, other)))
    .flatMap((field) =>
      existing.fields
        .filter((other) => overlap(field, other))
        .map((other) => `${at(name, other)}, declared ${at(name, field)}`),
    );
}

function overlap(a: LayoutField, b: LayoutField): boolean {
  return a.bitOffset < b.bitOffset + b.bits && b.bitOffset < a.bitOffset + a.bits;
}

function same(a: LayoutField, b: LayoutField): boolean {
  return a.path === b.path && a.bitOffset === b.bitOffset && a.bits === b.bits && a.kind === b.kind;
}

function at(name: string, { path, bitOffset, bits, kind }: LayoutField): string {
  const member = path === "" ? name : `${name}.${path}`;
  const place = bitOffset % 8 === 0 ? `byte ${bitOffset / 8}` : `bit ${bitOffset}`;
  return `${member} is ${kind}${bits % 8 === 0 ? "" : ` of ${bits} bits`} at ${place}`;
}

function fieldsOf(btf: Btf, id: BtfId, path: string, bitOffset: number, depth: number): LayoutField[] {
  if (depth > MAX_DEPTH) throw ownError("ERR_BTF", `type ${id} contains itself`);
  const { type, typedefs } = btf.resolve(id);
  const leaf = (kind: string) => [{ path, bitOffset, bits: btf.sizeOf(id) * 8, kind }];
  switch (type.kind) {
    case "struct":
    case "union":
      return type.members.flatMap((member) => memberFields(btf, member, path, bitOffset, depth));
    case "array": {
      const [first, ...more] = fieldsOf(btf, type.type, `${path}[]`, bitOffset, depth + 1);
      if (first !== undefined && more.length === 0 && first.path === `${path}[]`)
        return leaf(`${first.kind}[${type.length}]`);
      // An array of structs: the members of the first one, and how many there are.
      const size = btf.sizeOf(type.type);
      const items = first === undefined ? [] : [first, ...more];
      return items.map((item) => ({ ...item, kind: `${item.kind} (${type.length}, every ${size} bytes)` }));
    }
    default:
      return leaf(scalarKind(type, typedefs));
  }
}

function memberFields(
  btf: Btf,
  member: Extract<BtfType, { kind: "struct" | "union" }>["members"][number],
  path: string,
  base: number,
  depth: number,
): LayoutField[] {
  if (RESERVED.test(member.name)) return [];
  const inside = member.name === "" ? path : path === "" ? member.name : `${path}.${member.name}`;
  const bitOffset = base + member.bitOffset;
  if (member.bitSize === 0) {
    const { type } = btf.resolve(member.type);
    // Without a name it is padding, unless it is an anonymous struct or union.
    if (member.name === "" && type.kind !== "struct" && type.kind !== "union") return [];
    return fieldsOf(btf, member.type, inside, bitOffset, depth + 1);
  }
  if (member.name === "") return [];
  const { type, typedefs } = btf.resolve(member.type);
  return [{ path: inside, bitOffset, bits: member.bitSize, kind: scalarKind(type, typedefs) }];
}

function scalarKind(type: BtfType, typedefs: readonly string[]): string {
  switch (type.kind) {
    case "int": {
      const order = typedefs.find((name) => /^__be\d+$/.test(name));
      if (order !== undefined) return order.slice(2);
      if (type.encoding === "bool" || type.encoding === "char") return type.encoding;
      return `${type.encoding === "signed" ? "s" : "u"}${type.size * 8}`;
    }
    case "float":
      return `f${type.size * 8}`;
    // Not whether it is signed: compilers before clang 15 do not tell.
    case "enum":
    case "enum64":
      return `enum${type.size * 8}`;
    case "ptr":
      return "ptr";
    default:
      throw ownError("ERR_BTF", `a ${type.kind} has no values`);
  }
}
