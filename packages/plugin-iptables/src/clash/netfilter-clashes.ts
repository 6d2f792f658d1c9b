import type { Family } from "linux-ts";
import type { Flavour } from "../commands/iptables-names.ts";
import type { SavedSet } from "../commands/parse-ipset.ts";
import type { SavedRules } from "../commands/parse-iptables-save.ts";
import type { Clash } from "./clash.ts";
import { ownerByName, ownerByRouting, UNKNOWN_OWNER } from "./known-owners.ts";
import { type MarkUse, marksOfRule, zoneOfRule } from "./mark-bits.ts";
import type { NftRule } from "./nft-marks.ts";
import { sharedMark } from "./routing-clashes.ts";
import { isWithin, type Wanted } from "./wanted.ts";

type WantedMarks = Pick<Wanted, "mask" | "zones" | "isOurChain" | "isOurTable">;

/** Rules of iptables that use our bits of a mark, or our conntrack zone. One for each chain and use, however many rules it has. */
export function iptablesClashes(
  place: { flavour: Flavour; family: Family },
  saved: SavedRules,
  wanted: WantedMarks,
): Clash[] {
  const clashes = [...saved.tables].flatMap(([table, chains]) =>
    [...chains.values()]
      .filter(({ name }) => !wanted.isOurChain(name))
      .flatMap(({ name, rules }) =>
        rules.flatMap(({ text }) => {
          const found = {
            kind: "iptables rule",
            where: `in iptables-${place.flavour} IPv${place.family} table ${table} (${text})`,
            owner: ownerOfRule(name, text),
          };
          return [...markClashes(found, marksOfRule(text), wanted), ...zoneClashes(found, zoneOfRule(text), wanted)];
        }),
      ),
  );
  return first(clashes, ({ owner, effect }) => `${owner} ${effect}`);
}

/** The same for rules of nft(8). Those of iptables-nft are in it as well: they are left to {@link iptablesClashes}. */
export function nftClashes(
  rules: readonly NftRule[],
  seenByIptables: ReadonlySet<string>,
  wanted: WantedMarks,
): Clash[] {
  const clashes = rules
    .filter(({ table }) => !seenByIptables.has(`${table.family} ${table.name}`) && !wanted.isOurTable(table.name))
    .flatMap(({ table, chain, handle, marks, zones }) => {
      const found = {
        kind: "nft rule",
        where: `in table ${table.family} ${table.name} chain ${chain} (handle ${handle})`,
        owner: ownerByName("nftTables", table.name) ?? ownerByName("chains", chain) ?? UNKNOWN_OWNER,
      };
      return [...markClashes(found, marks, wanted), ...zones.flatMap((zone) => zoneClashes(found, zone, wanted))];
    });
  return first(clashes, ({ owner, effect }) => `${owner} ${effect}`);
}

/** Sets by our names that are of another type than ours: somebody else's, or of another version of ours. */
export function setClashes(existing: ReadonlyMap<string, SavedSet>, { sets }: Pick<Wanted, "sets">): Clash[] {
  return Object.entries(sets).flatMap(([name, type]) => {
    const there = existing.get(name);
    if (there === undefined || there.type === type) return [];
    return {
      kind: "ipset",
      where: `${name} (${there.type})`,
      owner: UNKNOWN_OWNER,
      effect: `ours by that name is of type ${type}`,
      setting: `nothing in the configuration: ipset destroy ${name}`,
    };
  });
}

type Found = Pick<Clash, "kind" | "where" | "owner">;

function markClashes(found: Found, uses: readonly MarkUse[], { mask }: WantedMarks): Clash[] {
  return uses
    .filter(({ bits }) => (bits & mask) >>> 0 !== 0)
    .map(({ kind, access, bits }) => {
      const does = `it ${access === "read" ? "looks at" : "writes"}`;
      const { effect, setting } = sharedMark(does, bits, mask);
      return {
        ...found,
        effect: kind === "mark" ? effect : effect.replace("the mark", "the connection mark"),
        setting,
      };
    });
}

function zoneClashes(found: Found, zone: number | undefined, wanted: WantedMarks): Clash[] {
  if (zone === undefined || !isWithin(wanted.zones, zone)) return [];
  const effect = `it puts connections into conntrack zone ${zone}, which is ours`;
  return [{ ...found, effect, setting: "backends.iptables.conntrackZone" }];
}

function ownerOfRule(chain: string, rule: string): string {
  const target = / -[jg] (\S+)/.exec(rule)?.[1] ?? "";
  const comment = / --comment (?:"([^"]*)"|(\S+))/.exec(rule);
  const byComment = comment === null ? undefined : COMMENTS.find(([sign]) => sign.test(comment[1] ?? comment[2] ?? ""));
  const known = ownerByName("chains", chain) ?? ownerByName("chains", target) ?? byComment?.[1];
  return (
    known ??
    marksOfRule(rule)
      .map(({ bits }) => ownerByRouting({ mark: bits }))
      .find(Boolean) ??
    UNKNOWN_OWNER
  );
}

/** Makers that put rules into built-in chains and sign them. */
const COMMENTS: readonly (readonly [RegExp, string])[] = [
  [/^AWS/, "AWS VPC CNI"],
  [/^cali:/, "Calico"],
  [/^cilium/, "Cilium"],
  [/^Antrea:/, "Antrea (Open vSwitch)"],
  [/^flannel/, "flannel"],
  [/^kubernetes /, "kube-proxy or the kubelet"],
];

function first<T>(all: readonly T[], key: (each: T) => string): T[] {
  const seen = new Map<string, T>();
  for (const each of all) if (!seen.has(key(each))) seen.set(key(each), each);
  return [...seen.values()];
}
