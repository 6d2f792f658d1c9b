import { BlockList, isIPv6 } from "node:net";
import { RTPROT_MILLRACE } from "@millrace/host";
import type { Family, Rule } from "linux-ts";
import type { IpRoute } from "../commands/ip-schemas.ts";
import type { Clash } from "./clash.ts";
import { ownerByName, ownerByRouting, UNKNOWN_OWNER } from "./known-owners.ts";
import { ALL_BITS, hex } from "./mark-bits.ts";
import { isWithin, type WantedRouting } from "./wanted.ts";

/** RT_TABLE_LOCAL (include/uapi/linux/rtnetlink.h). */
const LOCAL = 255;
/** RTPROT_KERNEL: what the kernel makes by itself. */
const KERNEL = 2;

/** Rules of others that stand where ours do, lead to our tables, look at our bits, or are asked before ours. */
export function ruleClashes(family: Family, rules: readonly Rule[], wanted: WantedRouting): Clash[] {
  return rules
    .filter(({ protocol }) => protocol !== RTPROT_MILLRACE)
    .flatMap((rule) => clashesOf(family, rule, wanted));
}

function clashesOf(family: Family, rule: Rule, { mask, priorities, tables }: WantedRouting): Clash[] {
  const { table } = rule;
  const bits = markBits(rule);
  const found = {
    kind: "ip rule",
    where: `IPv${family} priority ${rule.priority} (${describeRule(rule)})`,
    owner: ownerOfRule(rule),
  };
  const clashes: Clash[] = [];
  if (isWithin(priorities, rule.priority) && !isDefault(rule)) {
    const effect = `it stands among ours, which have the priorities ${priorities.join(" to ")}`;
    clashes.push({ ...found, effect, setting: "backends.iptables.rules.priority" });
  }
  if (isWithin(tables, table)) {
    const effect = `it leads to routing table ${table}, one of ours (${tables.join(" to ")})`;
    clashes.push({ ...found, effect, setting: "backends.iptables.tables.first" });
  }
  const shared = (bits & mask) >>> 0;
  if (shared !== 0) clashes.push({ ...found, ...sharedMark("it looks at", bits, mask) });
  if (rule.priority < priorities[0] && !isDefault(rule) && clashes.length === 0) {
    const effect = `it is asked before ours (priority ${priorities[0]}) and could send members' packets elsewhere`;
    clashes.push({ ...found, effect, setting: undefined });
  }
  return clashes;
}

/** What it means to share bits of a mark. No mask avoids somebody who uses all of them, so that is reported only. */
export function sharedMark(does: string, bits: number, mask: number): Pick<Clash, "effect" | "setting"> {
  const effect = `${does} the bits ${hex(bits)} of the mark, and ours are ${hex(mask)}`;
  return bits === ALL_BITS ? { effect, setting: undefined } : { effect, setting: "backends.iptables.marks.mask" };
}

/** Routes of others in our tables. */
export function routeClashes(family: Family, routes: readonly IpRoute[], { tables }: WantedRouting): Clash[] {
  return routes
    .filter(
      ({ protocol, table }) =>
        protocol !== `${RTPROT_MILLRACE}` && table !== undefined && isWithin(tables, Number(table)),
    )
    .map(({ dst, dev, gateway, table, protocol }) => ({
      kind: "route",
      where: `IPv${family} ${dst}${gateway === undefined ? "" : ` via ${gateway}`}${dev === undefined ? "" : ` dev ${dev}`} in table ${table}`,
      owner: (dev === undefined ? undefined : ownerByName("links", dev)) ?? `${UNKNOWN_OWNER} (protocol ${protocol})`,
      effect: `the table is one of ours (${tables.join(" to ")}), and it would catch members' packets`,
      setting: "backends.iptables.tables.first",
    }));
}

/** Rules of others that are asked before ours and match one of these addresses: they decide where the members' packets go. */
export function shadowingRules(
  family: Family,
  rules: readonly Rule[],
  wanted: WantedRouting,
  members: readonly string[],
): Clash[] {
  const own = members.filter((address) => isIPv6(address) === (family === 6));
  return ruleClashes(
    family,
    rules.filter((rule) => own.some((address) => couldMatch(rule, address))),
    wanted,
  ).filter(({ setting }) => setting === undefined);
}

function couldMatch({ src, dst, iif, fwmark, inverted }: Rule, address: string): boolean {
  // What a rule matches by negation is nearly everything.
  if (inverted) return true;
  // What the node itself sends, and what somebody has marked for himself.
  if (iif === "lo" || (fwmark !== undefined && fwmark !== 0)) return false;
  const from = src === undefined || contains(src, address);
  const to = dst === undefined || contains(dst, address);
  // As a sender with anybody as destination, or the other way round.
  return (from && (dst === undefined || to)) || (to && src === undefined);
}

function contains(prefix: string, address: string): boolean {
  const [network = "", length] = prefix.split("/");
  const type = isIPv6(network) ? "ipv6" : "ipv4";
  const list = new BlockList();
  list.addSubnet(network, Number(length), type);
  return list.check(address, type);
}

/** The bits that a rule's fwmark looks at; without a mask, all (net/core/fib_rules.c). */
function markBits({ fwmark, fwmask }: Rule): number {
  if (fwmark === undefined) return 0;
  return fwmask ?? ALL_BITS;
}

/** The kernel's own three, and the first of them where a CNI plugin has moved it. */
function isDefault({ priority, protocol, table }: Rule): boolean {
  return (protocol === KERNEL && [0, 32_766, 32_767].includes(priority)) || table === LOCAL;
}

function ownerOfRule(rule: Rule): string {
  const { priority, table, protocol } = rule;
  const bits = markBits(rule);
  const mark = bits === 0 ? undefined : bits === ALL_BITS ? rule.fwmark : bits;
  const byLink = [rule.iif, rule.oif].map((name) => name && ownerByName("links", name)).find(Boolean);
  const known = byLink ?? ownerByRouting({ priority, mark, table: table === 0 ? undefined : table });
  return known ?? `${UNKNOWN_OWNER} (protocol ${protocol})`;
}

function describeRule({ inverted, src, dst, iif, oif, fwmark, fwmask, table, goto, action }: Rule): string {
  return [
    inverted ? "not" : "",
    `from ${src === undefined ? "all" : shortPrefix(src)}`,
    dst === undefined ? "" : `to ${shortPrefix(dst)}`,
    iif === undefined ? "" : `iif ${iif}`,
    oif === undefined ? "" : `oif ${oif}`,
    fwmark === undefined ? "" : `fwmark ${hex(fwmark)}${markMask(fwmask)}`,
    table === 0 ? "" : `lookup ${table}`,
    goto === undefined ? "" : `goto ${goto}`,
    action === "lookup" || action === "goto" ? "" : action,
  ]
    .filter(Boolean)
    .join(" ");
}

/** An address alone for a prefix of one, as ip(8) has it. */
const shortPrefix = (prefix: string): string => prefix.replace(/(?<=\.\d+)\/32$|(?<=:.*)\/128$/, "");

const markMask = (mask: number | undefined): string => (mask === undefined || mask === ALL_BITS ? "" : `/${hex(mask)}`);
