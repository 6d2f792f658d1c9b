import { sortedUnique, type Workload } from "@millrace/core";
import { requireHostLink, requireNetns } from "@millrace/host";
import { deleteRoute, link, routes } from "linux-ts";
import { ipsetRestore } from "./commands/ipset.ts";
import { IptablesError } from "./errors.ts";
import { ensureRoutes, memberRoutes } from "./host-routing.ts";
import {
  addLine,
  deleteLine,
  familyOf,
  isSameEntry,
  type MemberEntries,
  type MemberEntry,
  readEntries,
  wantedEntries,
} from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import { deviceOf } from "./proxy-slots.ts";

/**
 * The members of the node: entries of sets, and two routes for each address. Every step of entering captures in full or not at all: a
 * route takes new connections to the member, an entry of `from` those it opens, and `settling` lets by those that were there before.
 */
export class Workloads {
  readonly #context: NodeContext;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /**
   * Enrols workloads that are not in each other's way: reads the sets once and writes them once. Says of each what went wrong:
   * `ERR_INTERFACE_GONE` and `ERR_INTERFACE_IN_USE`, after which nothing has changed for it, and `ERR_ADDRESS_IN_USE`, after which it is
   * enrolled with its other addresses.
   *
   * Rejects, for all of them, when the kernel or a program refuses.
   */
  async apply(workloads: readonly Workload[], updateRules: () => Promise<void>): Promise<(unknown | undefined)[]> {
    const entries = await readEntries(this.#context);
    const plans = workloads.map((workload) => attempt(() => this.#plan(workload, entries)));
    const ready = plans.flatMap(({ value }) => (value === undefined ? [] : [value]));

    const isExcludedOtherwise = ready.map(({ workload, free }) => this.#noteExclusions(workload, free));
    if (isExcludedOtherwise.includes(true)) await updateRules();
    // Nobody is a member by a route: until the sets tell so, only what opens a connection to it is captured.
    this.#ensureRoutes(ready.flatMap(({ free }) => free));
    await this.#write(
      ready.flatMap(({ workload, wanted, present }) => [
        ...this.#settle(workload, wanted, present),
        ...this.#difference(wanted, present, entries),
      ]),
    );
    this.#removeRoutes(
      ready.flatMap(({ free, present }) => addressesOf(present).filter((address) => !free.includes(address))),
    );
    return plans.map(({ value, error }) => {
      if (value === undefined) return error;
      return value.taken.size > 0 ? addressesInUse(value.workload, value.taken) : undefined;
    });
  }

  #plan(workload: Workload, entries: MemberEntries): Plan {
    const { interface: pod } = workload;
    requireNetns(pod)[Symbol.dispose]();
    requireHostLink(pod);
    requireFree(workload, entries);
    const { free, taken } = claim(workload, entries);
    const wanted = wantedEntries(workload, free, deviceOf(pod.hostIndex, pod.hostName)).filter(({ family }) =>
      this.#context.families.includes(family),
    );
    return { workload, free, taken, wanted, present: entries.of(workload.uid) };
  }

  /** New connections pass from now on. Those that a proxy has go on with it: their marks are on the connections. */
  async remove(uids: readonly string[], updateRules: () => Promise<void>): Promise<void> {
    const entries = await readEntries(this.#context);
    const present = uids.flatMap((uid) => entries.of(uid));
    await this.#write(inOrderOfLeaving(present).map(deleteLine));
    this.#removeRoutes(addressesOf(present));
    const wasExcluded = uids.map((uid) => this.#context.notes.setExclusions({ uid, rules: [] }));
    if (wasExcluded.includes(true)) await updateRules();
  }

  /** Clears away members whose interface is gone, and routes that lead to nobody: a crash left them. */
  async sweep(updateRules: () => Promise<void>): Promise<void> {
    const entries = await readEntries(this.#context);
    for (const uid of entries.uids()) {
      const isThere = entries.of(uid).some(({ hostIndex }) => link(undefined, hostIndex) !== undefined);
      if (isThere) continue;
      this.#context.log.info({ uid }, "clearing away a workload whose interface is gone");
      await this.remove([uid], updateRules);
    }
  }

  /** Forgets what was excluded for workloads that the kernel has no entry of: their addresses may be somebody else's by now. */
  async sweepExclusions(): Promise<void> {
    const { notes } = this.#context;
    const enrolled = (await readEntries(this.#context)).uids();
    for (const { uid } of notes.exclusions()) if (!enrolled.includes(uid)) notes.setExclusions({ uid, rules: [] });
  }

  #noteExclusions({ uid, exclusions }: Workload, addresses: readonly string[]): boolean {
    const pairs = (direction: "outbound" | "inbound", cidrs: readonly string[]) =>
      addresses.flatMap((member) =>
        cidrs
          .filter((cidr) => familyOf(cidr.replace(/\/.*$/, "")) === familyOf(member))
          .map((cidr) => ({ direction, member, cidr })),
      );
    const rules = [...pairs("outbound", exclusions.outboundCidrs), ...pairs("inbound", exclusions.inboundCidrs)];
    return this.#context.notes.setExclusions({ uid, rules });
  }

  /** Connections that are older than an address' enrolment may go on for a time, or not at all. */
  #settle({ enrolExisting }: Workload, wanted: readonly MemberEntry[], present: readonly MemberEntry[]): string[] {
    const { drainSeconds } = this.#context.config;
    const settling = present.filter(({ role }) => role === "settling");
    if (enrolExisting === "reset") return settling.map(deleteLine);
    if (drainSeconds === 0) return [];
    return wanted
      .filter(({ role }) => role === "to")
      .filter((entry) => !present.some((other) => isSameEntry(entry, other)))
      .map((entry) => addLine({ ...entry, role: "settling" }, drainSeconds));
  }

  #difference(wanted: readonly MemberEntry[], present: readonly MemberEntry[], { all }: MemberEntries): string[] {
    const missing = wanted.filter((entry) => !all.some((other) => isSameEntry(entry, other)));
    const stale = present.filter(
      (entry) => entry.role !== "settling" && !wanted.some((other) => isSameEntry(entry, other)),
    );
    const kept = stale.filter((entry) => !wanted.some((other) => occupies(entry, other)));
    return [...missing.map((entry) => addLine(entry)), ...inOrderOfLeaving(kept).map(deleteLine)];
  }

  #ensureRoutes(addresses: readonly string[]): void {
    const { families, layout } = this.#context;
    for (const family of families) {
      const own = addresses.filter((address) => familyOf(address) === family);
      if (own.length === 0) continue;
      const wanted = own.flatMap((address) => memberRoutes(this.#context, address));
      ensureRoutes(wanted, routes(undefined, { family, table: layout.tables.inbound }));
    }
  }

  #removeRoutes(addresses: readonly string[]): void {
    const { families, layout } = this.#context;
    for (const family of families) {
      const own = new Set(addresses.filter((address) => familyOf(address) === family));
      if (own.size === 0) continue;
      const there = routes(undefined, { family, table: layout.tables.inbound });
      for (const route of there) if (own.has(route.dst.replace(/\/\d+$/, ""))) deleteRoute(undefined, route);
    }
  }

  async #write(lines: readonly string[]): Promise<void> {
    await ipsetRestore(lines.join("\n"), { signal: this.#context.signal });
  }
}

/** What has to be done for one workload. */
interface Plan {
  readonly workload: Workload;
  /** Addresses that it can have. */
  readonly free: readonly string[];
  /** Those that another one holds, with that one. */
  readonly taken: ReadonlyMap<string, string>;
  readonly wanted: readonly MemberEntry[];
  readonly present: readonly MemberEntry[];
}

function attempt<T>(work: () => T): { readonly value?: T; readonly error?: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}

/** Entries that one set can hold only one of. */
const occupies = (a: MemberEntry, b: MemberEntry): boolean =>
  a.role === b.role && a.family === b.family && a.element === b.element;

/** What captures goes before what lets by. */
function inOrderOfLeaving(entries: readonly MemberEntry[]): MemberEntry[] {
  const rank = ({ role }: MemberEntry): number => ["from", "to"].indexOf(role) + 1 || 3;
  return [...entries].sort((a, b) => rank(a) - rank(b));
}

const addressesOf = (entries: readonly MemberEntry[]): string[] =>
  sortedUnique(entries.filter(({ role }) => role === "to").map(({ element }) => element));

/** Splits the workload's addresses into those it can have, and those another one holds whose interface is there, with that one. */
function claim(workload: Workload, entries: MemberEntries): { free: string[]; taken: Map<string, string> } {
  const holders = entries.addresses();
  const free: string[] = [];
  const taken = new Map<string, string>();
  for (const address of workload.addresses) {
    const holder = holders.get(address);
    if (holder && holder.uid !== workload.uid && link(undefined, holder.hostIndex)) taken.set(address, holder.uid);
    else free.push(address);
  }
  return { free, taken };
}

/** A veth is one pod's. Whoever is enrolled on it stays. */
function requireFree({ uid, namespace, name, interface: pod }: Workload, { all }: MemberEntries): void {
  const holder = all.find((entry) => entry.hostIndex === pod.hostIndex && entry.uid !== uid);
  if (holder === undefined) return;
  throw new IptablesError(
    "ERR_INTERFACE_IN_USE",
    `${namespace}/${name}: ${pod.hostName} is the interface of workload ${holder.uid}, which is enrolled; this one is when that one is removed`,
  );
}

function addressesInUse(workload: Workload, taken: ReadonlyMap<string, string>): IptablesError {
  const holders = sortedUnique(taken.values()).join(", ");
  return new IptablesError(
    "ERR_ADDRESS_IN_USE",
    `${workload.namespace}/${workload.name}: ${[...taken.keys()].join(", ")} belongs to workload ${holders}, which is still enrolled; ` +
      "the other addresses are redirected, this one will be when that workload is removed",
  );
}
