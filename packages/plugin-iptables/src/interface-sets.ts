import type { Family } from "linux-ts";
import type { SavedSet } from "./commands/parse-ipset.ts";
import { interfaceSet, setsOf } from "./layout.ts";
import type { MemberEntry } from "./members.ts";

/** Every address: what comes in by a member's own interface is the member's, whatever it says it is. */
const EVERYWHERE: Readonly<Record<Family, string>> = { 4: "0.0.0.0/0", 6: "::/0" };

/**
 * Interfaces in one set. Entries of one network are all in one bucket, and the kernel lists a bucket in one message of a page or not at
 * all (net/netfilter/ipset/ip_set_hash_gen.h, mtype_list(), "one bucket does not fit into a message"): an entry with the longest of
 * names and a UID takes about 110 bytes there. There are nodes with more pods than that: so there are several sets, in a list that rules
 * name.
 */
const ROOM = 24;
export const MAX_PARTS = 64;

export const LIST_TYPE = "list:set";
export const PART_TYPE = "hash:net,iface";

export const interfaceElement = (family: Family, device: string): string => `${EVERYWHERE[family]},${device}`;

export const createList = (family: Family): string => `create ${setsOf(family).iface} ${LIST_TYPE} size ${MAX_PARTS}`;

const createPart = (family: Family, part: number): string =>
  `create ${interfaceSet(family, part)} ${PART_TYPE} family ${family === 4 ? "inet" : "inet6"} hashsize 64 maxelem 64 comment`;

const listPart = (family: Family, part: number): string => `add ${setsOf(family).iface} ${interfaceSet(family, part)}`;

/** Lines for ipset(8) that make a set of interfaces and put it into the list. */
export const ensurePart = (family: Family, part: number): string[] => [
  createPart(family, part),
  listPart(family, part),
];

/** The sets of interfaces that there are. */
export function partsOf(names: ReadonlySet<string>, family: Family): number[] {
  return Array.from({ length: MAX_PARTS }, (_, part) => part).filter((part) => names.has(interfaceSet(family, part)));
}

/** Those that are there and not in the list, so that no rule sees them; and what is in the list and is none of them. */
export function listProblems(
  saved: ReadonlyMap<string, SavedSet>,
  family: Family,
): { readonly unlisted: readonly number[]; readonly unknown: readonly string[] } {
  const listed = saved.get(setsOf(family).iface)?.entries.map(({ element }) => element) ?? [];
  const parts = partsOf(new Set(saved.keys()), family);
  return {
    unlisted: parts.filter((part) => !listed.includes(interfaceSet(family, part))),
    unknown: listed.filter((name) => !parts.some((part) => interfaceSet(family, part) === name)),
  };
}

/** Chooses the set for each new interface: the first with room. */
export class InterfacePlaces {
  readonly #present: MemberEntry[];

  constructor(all: readonly MemberEntry[]) {
    this.#present = all.filter(({ role }) => role === "iface");
  }

  /** The entry with its place; that of an entry which it replaces, if there is one. Where all sets are full the kernel refuses the last. */
  place(entry: MemberEntry): MemberEntry {
    if (entry.role !== "iface") return entry;
    const own = this.#present.filter(({ family }) => family === entry.family);
    const replaced = own.find(({ element }) => element === entry.element);
    const placed = { ...entry, part: replaced?.part ?? firstWithRoom(own) };
    if (replaced === undefined) this.#present.push(placed);
    return placed;
  }
}

function firstWithRoom(entries: readonly MemberEntry[]): number {
  const parts = Array.from({ length: MAX_PARTS }, (_, part) => part);
  const isFree = (part: number): boolean => entries.filter((entry) => entry.part === part).length < ROOM;
  return parts.find(isFree) ?? MAX_PARTS - 1;
}
