import { isIPv4 } from "node:net";
import type { MapFill, Workload } from "@millrace/core";
import type { Family } from "linux-ts";
import { ipsetSave } from "./commands/ipset.ts";
import type { SavedSet } from "./commands/parse-ipset.ts";
import { ensurePart, interfaceElement, listProblems, partsOf } from "./interface-sets.ts";
import { interfaceSet, isNetworkSet, networkSet, type SetRole, setsOf } from "./layout.ts";
import { ROLES } from "./member-sets.ts";
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

export const familyOf = (address: string): Family => (isIPv4(address) ? 4 : 6);

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
  /** How full the sets of addresses are. There is one set more for each network that is excluded: it never holds more than those. */
  readonly fills: Readonly<Record<string, MapFill>>;
  /** Of all sets, whoever they belong to. */
  readonly names: ReadonlySet<string>;

  /** Made when it is first asked for: a reading of a node with many asks for each. */
  #byUid: ReadonlyMap<string, readonly MemberEntry[]> | undefined;

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
    this.fills = Object.fromEntries(
      families.flatMap((family) => ROLES.flatMap((role) => fillOf(saved.get(setsOf(family)[role])))),
    );
    this.all = all;
    this.missingSets = missing;
    this.unknown = unknown;
  }

  of(uid: string): readonly MemberEntry[] {
    this.#byUid ??= Map.groupBy(this.all, (entry) => entry.uid);
    return this.#byUid.get(uid) ?? [];
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

function fillOf(set: SavedSet | undefined): [name: string, fill: MapFill][] {
  const max = /\bmaxelem (\d+)/.exec(set?.options ?? "")?.[1];
  return set === undefined || max === undefined ? [] : [[set.name, { entries: set.entries.length, max: Number(max) }]];
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
