import { type Btf, type BtfId, type BtfMember, type BtfType, MAX_DEPTH } from "./btf.ts";
import { type Codec, codecOf, type Part } from "./codec.ts";
import { array, byteArray, type Member, overlapping, struct, text } from "./codec-aggregates.ts";
import { bitField, boolean, enumeration, float, integer } from "./codec-scalars.ts";
import { ownError } from "./errors.ts";

/** The kernel's typedefs for integers in network byte order (include/uapi/linux/types.h). */
const BIG_ENDIAN: ReadonlySet<string> = new Set(["__be16", "__be32", "__be64"]);

/**
 * The codec of a C type:
 *
 * | C | TypeScript |
 * | --- | --- |
 * | integers up to 32 bits; `__be16`, `__be32` in host order | number |
 * | longer integers, pointers; `__be64` in host order | bigint (a number can be written) |
 * | `bool`, `float`, `double` | boolean, number |
 * | `enum` | name of the enumerator, or the number where it has none |
 * | `char[n]` | string, up to the first NUL |
 * | `__u8[n]`, `unsigned char[n]` | Uint8Array |
 * | other arrays | array |
 * | `struct` | object; members that are not given are zero, those of anonymous members are its own |
 * | `union` | object with all its members; written ones must agree on the bytes they share |
 *
 * @throws {LibbpfError} ERR_BTF (a type that has no values: `void`, a function, a struct that is only declared)
 */
export function btfCodec<T>(btf: Btf, id: BtfId): Codec<T> {
  const { type } = btf.resolve(id);
  const name = "name" in type && type.name !== "" ? type.name : type.kind;
  return codecOf<T>(partOf(btf, id, 0), name);
}

function partOf(btf: Btf, id: BtfId, depth: number): Part {
  if (depth > MAX_DEPTH) throw ownError("ERR_BTF", `type ${id} contains itself`);
  const { type, typedefs } = btf.resolve(id);
  switch (type.kind) {
    case "int":
      if (type.encoding === "bool" && type.size === 1) return boolean;
      return integer({
        size: type.size,
        signed: isSigned(type),
        little: !typedefs.some((name) => BIG_ENDIAN.has(name)),
      });
    case "float":
      if (type.size === 4 || type.size === 8) return float(type.size);
      throw ownError("ERR_BTF", `a ${type.name} of ${type.size} bytes has no number in JavaScript`);
    case "ptr":
      return integer({ size: 8, signed: false, little: true });
    case "enum":
    case "enum64":
      return enumeration({ size: type.size, signed: type.signed, little: true }, type.values);
    case "array":
      return arrayOf(btf, type.type, type.length, depth);
    case "struct":
    case "union":
      return aggregate(btf, type, depth);
    case "datasec":
      return struct(
        type.size,
        type.variables.map(({ type: variable, offset }) => {
          const { name, type: of } = btf.type(variable) as Extract<BtfType, { kind: "var" }>;
          return { name, offset, part: partOf(btf, of, depth + 1) };
        }),
      );
    default:
      throw ownError("ERR_BTF", `a ${type.kind} has no values`);
  }
}

function arrayOf(btf: Btf, item: BtfId, length: number, depth: number): Part {
  const { type } = btf.resolve(item);
  if (type.kind === "int" && type.size === 1) {
    if (type.encoding === "char") return text(length);
    if (type.encoding === "unsigned") return byteArray(length);
  }
  return array(partOf(btf, item, depth + 1), length);
}

function aggregate(btf: Btf, type: Extract<BtfType, { kind: "struct" | "union" }>, depth: number): Part {
  const { members, overlaps } = membersOf(btf, type, 0, depth);
  return overlaps ? overlapping(type.size, members) : struct(type.size, members);
}

/** The members, and those of anonymous structs and unions as C sees them: as the outer one's own. */
function membersOf(
  btf: Btf,
  { kind, members }: Extract<BtfType, { kind: "struct" | "union" }>,
  base: number,
  depth: number,
): { members: Member[]; overlaps: boolean } {
  if (depth > MAX_DEPTH) throw ownError("ERR_BTF", "a struct contains itself");
  let overlaps = kind === "union";
  const all = members.flatMap((member): Member[] => {
    if (member.name !== "") return [memberOf(btf, member, base, depth)];
    const { type } = btf.resolve(member.type);
    // Bit fields without a name are padding.
    if (type.kind !== "struct" && type.kind !== "union") return [];
    const inner = membersOf(btf, type, base + member.bitOffset / 8, depth + 1);
    overlaps ||= inner.overlaps;
    return inner.members;
  });
  return { members: all, overlaps };
}

function memberOf(btf: Btf, { name, type, bitOffset, bitSize }: BtfMember, base: number, depth: number): Member {
  if (bitSize === 0) return { name, offset: base + bitOffset / 8, part: partOf(btf, type, depth + 1) };
  const { type: of } = btf.resolve(type);
  return { name, offset: base + (bitOffset >> 3), part: bitField(bitOffset & 7, bitSize, isSigned(of)) };
}

function isSigned(type: BtfType): boolean {
  if (type.kind === "int") return type.encoding === "signed" || type.encoding === "char";
  return "signed" in type && type.signed;
}
