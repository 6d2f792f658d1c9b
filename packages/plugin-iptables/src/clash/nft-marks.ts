import { z } from "zod";
import { ALL_BITS, type MarkUse } from "./mark-bits.ts";

/** Rules of `nft -j list ruleset`, with the expressions as libnftables-json(5) has them. Everything else in it is passed over. */
const ruleset = z.object({
  nftables: z.array(
    z.object({
      rule: z
        .object({
          family: z.string(),
          table: z.string(),
          chain: z.string(),
          handle: z.int(),
          expr: z.array(z.unknown()),
        })
        .optional(),
    }),
  ),
});

export interface NftRule {
  /** `inet kube-proxy`. */
  readonly table: { readonly family: string; readonly name: string };
  readonly chain: string;
  readonly handle: number;
  readonly marks: readonly MarkUse[];
  /** Conntrack zones that it puts connections into. */
  readonly zones: readonly number[];
}

/** Rules that use a mark or a conntrack zone. Throws a SyntaxError or ZodError for text of another shape. */
export function parseNftMarks(text: string): NftRule[] {
  return ruleset
    .parse(JSON.parse(text))
    .nftables.flatMap(({ rule }) => (rule === undefined ? [] : [rule]))
    .map(({ family, table, chain, handle, expr }) => ({
      table: { family, name: table },
      chain,
      handle,
      marks: expr.flatMap(marksOfStatement),
      zones: expr.flatMap(zonesOfStatement),
    }))
    .filter(({ marks, zones }) => marks.length > 0 || zones.length > 0);
}

type Tree = Readonly<Record<string, unknown>>;

function marksOfStatement(statement: unknown): MarkUse[] {
  const { mangle, ...others } = isTree(statement) ? statement : {};
  if (!isTree(mangle)) return reads(others);
  const kind = markKind(mangle.key);
  const written = kind === undefined ? [] : [{ kind, access: "write" as const, bits: changed(mangle.value, kind) }];
  return [...written.filter(({ bits }) => bits !== 0), ...reads(mangle.value, kind)];
}

/** Marks anywhere in an expression, each with the bits that are looked at. A mark that is written back into itself is not read. */
function reads(tree: unknown, written?: MarkUse["kind"]): MarkUse[] {
  if (Array.isArray(tree)) return tree.flatMap((each) => reads(each, written));
  if (!isTree(tree)) return [];
  const kind = markKind(tree);
  if (kind !== undefined) return kind === written ? [] : [{ kind, access: "read", bits: ALL_BITS }];
  const [of, mask] = operands(tree, "&");
  const masked = markKind(of);
  if (masked !== undefined && typeof mask === "number") {
    return masked === written || mask === 0 ? [] : [{ kind: masked, access: "read", bits: mask >>> 0 }];
  }
  return Object.values(tree).flatMap((each) => reads(each, written));
}

/** Bits in which the value can differ from the mark itself: `mark | 0x4000` differs in that one, a number in all. */
function changed(value: unknown, kind: MarkUse["kind"]): number {
  if (markKind(value) === kind) return 0;
  for (const operator of ["|", "^", "&"]) {
    const [left, right] = operands(value, operator);
    if (typeof right === "number") return (changed(left, kind) | (operator === "&" ? ~right : right)) >>> 0;
  }
  return ALL_BITS;
}

function zonesOfStatement(statement: unknown): number[] {
  const mangle = isTree(statement) ? statement.mangle : undefined;
  if (!isTree(mangle) || typeof mangle.value !== "number" || !isTree(mangle.key)) return [];
  return isTree(mangle.key.ct) && mangle.key.ct.key === "zone" ? [mangle.value] : [];
}

function markKind(tree: unknown): MarkUse["kind"] | undefined {
  if (!isTree(tree)) return undefined;
  if (isTree(tree.meta) && tree.meta.key === "mark") return "mark";
  if (isTree(tree.ct) && tree.ct.key === "mark") return "connmark";
  return undefined;
}

function operands(tree: unknown, operator: string): readonly unknown[] {
  const found = isTree(tree) ? tree[operator] : undefined;
  return Array.isArray(found) ? found : [];
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
