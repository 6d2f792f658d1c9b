import { isIPv4 } from "node:net";
import type { Workload } from "@millrace/core";
import type { Family } from "linux-ts";
import { ipsetNames, ipsetRestore, ipsetSave } from "./commands/ipset.ts";
import type { SavedSet } from "./commands/parse-ipset.ts";
import {
  createList,
  ensurePart,
  interfaceElement,
  LIST_TYPE,
  listProblems,
  MAX_PARTS,
  PART_TYPE,
  partsOf,
} from "./interface-sets.ts";
import { answeredSet, FAMILIES, interfaceSet, isNetworkSet, networkSet, type SetRole, setsOf } from "./layout.ts";
import { MAX_SLOTS } from "./marks.ts";
import type { NodeContext } from "./node-context.ts";
import type { ExcludedNetwork } from "./rules/host-input.ts";

/** Entry of a set: whose it is stands in its comment, so that the kernel alone tells it after a restart. */
export interface MemberEntry {
  readonly role: SetRole | "network";
  readonly family: Family;
  readonly element: string;
  readonly uid: string;
  readonly hostIndex: number;
  /** Of the role `network`: what the member excludes. */
  readonly network?: ExcludedNetwork;
  /** Of the role `iface`: which of the sets of interfaces has it. */
  readonly part?: number;
}

type AddressRole = Exclude<SetRole, "iface">;

const TYPES: Readonly<Record<AddressRole, string>> = {
  from: "hash:net,iface",
  to: "hash:ip",
  settling: "hash:ip",
  dns: "hash:ip",
  outboundPorts: "hash:ip,port",
  inboundPorts: "hash:ip,port",
};
const ROLES = Object.keys(TYPES) as AddressRole[];

/**
 * Seconds in which a proxy's first answer has to be followed by more: as long as a SYN-ACK is tried again (tcp_synack_retries 5,
 * Documentation/networking/ip-sysctl.rst).
 */
const ANSWERED_SECONDS = 63;
const MAX_ANSWERED = 65_536;
const ANSWERED_TYPE = "hash:ip,port,ip";
const isAnsweredSet = (name: string): boolean => /^millrace-answered[46]-\d+$/.test(name);

/** Every set of ours by name, with its type. */
export const SET_TYPES: Readonly<Record<string, string>> = Object.fromEntries(
  FAMILIES.flatMap((family) => [
    ...ROLES.map((role) => [setsOf(family)[role], TYPES[role]]),
    [setsOf(family).iface, LIST_TYPE],
    ...Array.from({ length: MAX_PARTS }, (_, part) => [interfaceSet(family, part), PART_TYPE]),
    ...Array.from({ length: MAX_SLOTS }, (_, slot) => [answeredSet(family, slot), ANSWERED_TYPE]),
  ]),
);

export const familyOf = (address: string): Family => (isIPv4(address) ? 4 : 6);

const NETWORK_TYPE = "hash:ip";

/** Makes the sets that rules name. A set that is there is left as it is. */
export async function ensureSets(
  { families, config, signal }: NodeContext,
  slots: readonly number[],
  { names, unlisted }: MemberEntries,
): Promise<void> {
  const wanted = families.flatMap((family) => {
    const inet = family === 4 ? "inet" : "inet6";
    return [
      ...ROLES.map((role) => {
        const options = `${role === "settling" ? "timeout 0 " : ""}comment`;
        const name = setsOf(family)[role];
        return { name, line: `create ${name} ${TYPES[role]} family ${inet} maxelem ${config.maxMembers} ${options}` };
      }),
      { name: setsOf(family).iface, line: createList(family) },
      ...slots.map((slot) => {
        const name = answeredSet(family, slot);
        const options = `maxelem ${MAX_ANSWERED} timeout ${ANSWERED_SECONDS}`;
        return { name, line: `create ${name} ${ANSWERED_TYPE} family ${inet} ${options}` };
      }),
    ];
  });
  const missing = wanted.filter(({ name }) => !names.has(name));
  const lists = families.flatMap((family) => (unlisted.get(family) ?? []).flatMap((part) => ensurePart(family, part)));
  await ipsetRestore([...missing.map(({ line }) => line), ...lists].join("\n"), { signal });
}

/** Makes the sets of networks, before rules name them. */
export async function ensureNetworkSets(
  { config, signal }: Pick<NodeContext, "config" | "signal">,
  networks: readonly ExcludedNetwork[],
): Promise<void> {
  const lines = networks.map(({ family, direction, cidr }) => {
    const options = `family ${family === 4 ? "inet" : "inet6"} hashsize 64 maxelem ${config.maxMembers} comment`;
    return `create ${networkSet(family, direction, cidr)} ${NETWORK_TYPE} ${options}`;
  });
  await ipsetRestore(lines.join("\n"), { signal });
}

/** Removes the sets of networks that nobody excludes any more and rules do not name. */
export async function sweepNetworkSets({ signal }: Pick<NodeContext, "signal">, entries: MemberEntries): Promise<void> {
  const used = new Set(entries.networks().map(({ family, direction, cidr }) => networkSet(family, direction, cidr)));
  const stale = [...entries.names].filter((name) => isNetworkSet(name) && !used.has(name));
  await ipsetRestore(stale.map((name) => `destroy ${name}`).join("\n"), { signal });
}

/** Removes the sets of slots that rules do not name any more. */
export async function sweepSets(
  { families, signal }: NodeContext,
  slots: readonly number[],
  { names }: MemberEntries,
): Promise<void> {
  const used = new Set(families.flatMap((family) => slots.map((slot) => answeredSet(family, slot))));
  const stale = [...names].filter((name) => isAnsweredSet(name) && !used.has(name));
  await ipsetRestore(stale.map((name) => `destroy ${name}`).join("\n"), { signal });
}

export async function destroySets({ families, signal }: NodeContext): Promise<void> {
  const names = new Set(await ipsetNames({ signal }));
  // A set that is in a list cannot be destroyed.
  const ours = families.flatMap((family) => [
    ...Object.values<string>(setsOf(family)).filter((name) => names.has(name)),
    ...partsOf(names, family).map((part) => interfaceSet(family, part)),
  ]);
  const doomed = [...ours, ...[...names].filter((name) => isAnsweredSet(name) || isNetworkSet(name))];
  await ipsetRestore(doomed.map((name) => `destroy ${name}`).join("\n"), { signal });
}

/** What the kernel holds of all members, but for who is settling. */
export async function readEntries(context: Pick<NodeContext, "families" | "signal">): Promise<MemberEntries> {
  return new MemberEntries(await ipsetSave({ signal: context.signal }), context.families);
}

export class MemberEntries {
  readonly all: readonly MemberEntry[];
  readonly missingSets: readonly string[];
  readonly unknown: readonly string[];
  /** Sets of interfaces that the list does not have. */
  readonly unlisted: ReadonlyMap<Family, readonly number[]>;
  /** Of all sets, whoever they belong to. */
  readonly names: ReadonlySet<string>;

  constructor(saved: ReadonlyMap<string, SavedSet>, families: readonly Family[]) {
    this.names = new Set(saved.keys());
    const all: MemberEntry[] = [];
    const missing: string[] = [];
    const unknown: string[] = [];
    const unlisted = new Map<Family, readonly number[]>();
    const read = (name: string, of: Pick<MemberEntry, "role" | "family" | "part">): void => {
      for (const { element, options } of saved.get(name)?.entries ?? []) {
        const [, uid, hostIndex] = /comment "(\S+) (\d+)"/.exec(options) ?? [];
        if (uid === undefined) unknown.push(`${name} ${element}`);
        else all.push({ ...of, element, uid, hostIndex: Number(hostIndex) });
      }
    };
    for (const family of families) {
      missing.push(...Object.values<string>(setsOf(family)).filter((name) => !saved.has(name)));
      for (const role of ROLES) read(setsOf(family)[role], { role, family });
      for (const part of partsOf(this.names, family)) read(interfaceSet(family, part), { role: "iface", family, part });
      const list = listProblems(saved, family);
      unlisted.set(family, list.unlisted);
      unknown.push(...list.unknown.map((name) => `${setsOf(family).iface} ${name}`));
    }
    this.unlisted = unlisted;
    for (const [name, { entries }] of saved) {
      if (!isNetworkSet(name)) continue;
      for (const { element, options } of entries) {
        const entry = networkEntry(element, options);
        if (entry === undefined || nameOf(entry) !== name) unknown.push(`${name} ${element}`);
        else all.push(entry);
      }
    }
    this.all = all;
    this.missingSets = missing;
    this.unknown = unknown;
  }

  of(uid: string): readonly MemberEntry[] {
    return this.all.filter((entry) => entry.uid === uid);
  }

  /**
   * Addresses and whose they are, as two sets tell: somebody may have emptied one, and an address that nobody seems to have would lose
   * its routes, and with them what captures connections to it, before its member is enrolled again.
   */
  addresses(): ReadonlyMap<string, MemberEntry> {
    const of = (wanted: SetRole): [string, MemberEntry][] =>
      this.all.filter(({ role }) => role === wanted).map((entry) => [addressOf(entry), entry]);
    return new Map([...of("from"), ...of("to")]);
  }

  /** What is excluded, each network once, in an order that does not change. */
  networks(): ExcludedNetwork[] {
    return networksOf(this.all);
  }

  uids(): string[] {
    return [...new Set(this.all.filter(({ role }) => role !== "settling").map(({ uid }) => uid))].sort();
  }
}

/** The networks of entries, each once, in an order that does not change. */
export function networksOf(entries: readonly MemberEntry[]): ExcludedNetwork[] {
  const found = new Map(entries.flatMap(({ network }) => (network ? [[JSON.stringify(network), network]] : [])));
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, network]) => network);
}

function networkEntry(element: string, options: string): MemberEntry | undefined {
  const [, uid, hostIndex, direction, cidr] = /comment "(\S+) (\d+) (outbound|inbound) (\S+)"/.exec(options) ?? [];
  if (uid === undefined || cidr === undefined) return undefined;
  const family = familyOf(element);
  const network = { direction: direction as ExcludedNetwork["direction"], family, cidr };
  return { role: "network", family, element, uid, hostIndex: Number(hostIndex), network };
}

/** Where a member's packets come in, as IP sees it, in the families that the node has. */
export interface MemberPlace {
  readonly device: string;
  readonly families: readonly Family[];
}

/**
 * Entries that a workload has to have, without those of who is settling and without a place for those of interfaces. What comes in by
 * a bridge may be anybody's, by a veth of its own only the member's.
 */
export function wantedEntries(
  workload: Workload,
  addresses: readonly string[],
  { device, families }: MemberPlace,
): MemberEntry[] {
  const { uid, dnsCapture, exclusions } = workload;
  const { hostIndex, hostName } = workload.interface;
  const byAddress = addresses.flatMap((address) => {
    const family = familyOf(address);
    if (!families.includes(family)) return [];
    const entry = (role: SetRole, element: string): MemberEntry => ({ role, family, element, uid, hostIndex });
    const networks = (direction: ExcludedNetwork["direction"], cidrs: readonly string[]): MemberEntry[] =>
      cidrs
        .filter((cidr) => familyOf(cidr.replace(/\/.*$/, "")) === family)
        .map((cidr) => {
          return { role: "network", family, element: address, uid, hostIndex, network: { direction, family, cidr } };
        });
    return [
      ...networks("outbound", exclusions.outboundCidrs),
      ...networks("inbound", exclusions.inboundCidrs),
      ...(dnsCapture ? [entry("dns", address)] : []),
      ...exclusions.outboundPorts.map((port) => entry("outboundPorts", `${address},tcp:${port}`)),
      ...exclusions.inboundPorts.map((port) => entry("inboundPorts", `${address},tcp:${port}`)),
      entry("to", address),
      entry("from", `${address},${device}`),
    ];
  });
  if (device !== hostName) return byAddress;
  const byInterface = families.map((family): MemberEntry => {
    return { role: "iface", family, element: interfaceElement(family, device), uid, hostIndex };
  });
  return [...byAddress, ...byInterface];
}

/** The set that an entry is in; of an interface without a place the list of sets. */
export function nameOf({ role, family, network, part }: MemberEntry): string {
  if (role === "iface" && part !== undefined) return interfaceSet(family, part);
  if (role !== "network") return setsOf(family)[role];
  if (network === undefined) throw new TypeError("an entry of the role network has none");
  return networkSet(family, network.direction, network.cidr);
}

/** Lines for ipset(8). An entry of somebody else that stands in the way is replaced: the caller has made sure that it may be. */
export function addLines(entry: MemberEntry, timeout?: number): string[] {
  const { family, element, uid, hostIndex, network, part } = entry;
  const options = timeout === undefined ? "" : ` timeout ${timeout}`;
  const comment = [uid, hostIndex, ...(network ? [network.direction, network.cidr] : [])].join(" ");
  return [
    ...(part === undefined ? [] : ensurePart(family, part)),
    `add ${nameOf(entry)} ${element}${options} comment "${comment}"`,
  ];
}

export const deleteLine = (entry: MemberEntry): string => `del ${nameOf(entry)} ${entry.element}`;

/** The member's address, which every element begins with, but for an interface's. */
export const addressOf = ({ element }: MemberEntry): string => element.replace(/,.*$/, "");

/** Entries that one set, or one list of sets, can hold only one of. Without the sets' names, because each is compared with all others. */
export const occupies = (a: MemberEntry, b: MemberEntry): boolean =>
  a.element === b.element &&
  a.role === b.role &&
  a.family === b.family &&
  a.network?.direction === b.network?.direction &&
  a.network?.cidr === b.network?.cidr;

export const isSameEntry = (a: MemberEntry, b: MemberEntry): boolean =>
  occupies(a, b) && a.uid === b.uid && a.hostIndex === b.hostIndex;
