import type { Workload, WorkloadUid } from "@millrace/core";
import { errorCode, sortedUnique } from "@millrace/core/internal";

import { heldBy } from "@millrace/host";
import { deleteRoute, routes } from "linux-ts";
import { addPorts, releaseMembers, requireLift } from "./bridge-lift.ts";
import type { BridgePort } from "./bridge-ports.ts";
import { ipsetRestore } from "./commands/ipset.ts";
import { dnsAddresses, forgetQuestions } from "./conntrack.ts";
import { ensureRoutes, memberRoutes } from "./host-routing.ts";
import { InterfacePlaces } from "./interface-sets.ts";
import { ensureNetworkSets, sweepNetworkSets } from "./member-sets.ts";
import {
  addLines,
  addressOf,
  deleteLine,
  familyOf,
  isSameEntry,
  type MemberEntries,
  type MemberEntry,
  networksOf,
  occupies,
  readEntries,
} from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import { forgetKept } from "./open-connections.ts";
import { netnsOf } from "./proxy-slots.ts";
import type { ExcludedNetwork } from "./rules/host-input.ts";
import { addressesInUse, leavingOf, missingOf, type Plan, planOf, staleEntries } from "./workload-plan.ts";

/** Who leaves and who comes; nobody is both. */
export interface WorkloadChanges {
  readonly removed?: readonly WorkloadUid[];
  readonly applied?: readonly Workload[];
}

/**
 * The members of the node: entries of sets, and two routes for each address. Every step of entering captures in full or not at all: a
 * route takes new connections to the member, an entry of `from` those it opens, and `settling` lets by those that were there before.
 */
export class Workloads {
  readonly #context: NodeContext;
  readonly #updateRules: (networks: readonly ExcludedNetwork[]) => Promise<void>;

  /** `updateRules` makes the node's rules name these networks, and no others. */
  constructor(context: NodeContext, updateRules: (networks: readonly ExcludedNetwork[]) => Promise<void>) {
    this.#context = context;
    this.#updateRules = updateRules;
  }

  /**
   * Ends some workloads' redirection and enrols others, which are not in each other's way: reads the sets once and writes them once. What
   * those that leave have is free for those that come; where it is the same entry it is replaced, so that nothing gets by.
   *
   * Of those that leave, new connections pass from now on. Those that a proxy has go on with it: their marks are on the connections.
   *
   * Resolves with what was refused, by workload: `ERR_INTERFACE_GONE`, `ERR_INTERFACE_IN_USE` and `ERR_BRIDGE`, after which nothing has changed for
   * it, and `ERR_ADDRESS_IN_USE`, after which it is enrolled with its other addresses. Clears away, when any is enrolled, what is left of
   * interfaces that are gone, whosever they were.
   *
   * Rejects, for all of them, when the kernel or a program refuses.
   */
  async change({ removed = [], applied = [] }: WorkloadChanges): Promise<ReadonlyMap<WorkloadUid, unknown>> {
    const entries = await readEntries(this.#context);
    const leavers = new Set(removed);
    const departing = entries.all.filter(({ uid }) => leavers.has(uid));
    const stale = applied.length === 0 ? [] : staleEntries(entries.all);
    const former = new Set([...stale, ...departing]);
    const valid = entries.all.filter((entry) => !former.has(entry));
    const plans = await this.#refuseBridged(
      applied.map((workload) => attempt(workload.uid, () => planOf(this.#context, workload, valid))),
    );
    const ready = plans.flatMap(({ value }) => (value === undefined ? [] : [value]));
    const wanted = ready.flatMap((plan) => plan.wanted);
    // What is replaced stays until it is, so that nothing gets by.
    const left = [...former, ...ready.flatMap((plan) => plan.left)].filter(
      (entry) => !wanted.some((other) => occupies(entry, other)),
    );
    const leaving = ready.flatMap(leavingOf);
    const missing = ready.flatMap((plan) => missingOf(plan, valid));
    const places = new InterfacePlaces(entries.all);

    if (removed.length > 0) await this.#release((uid) => !leavers.has(uid), entries.all);
    await this.#nameNetworks(entries, wanted);
    // Nobody is a member by a route: until the sets tell so, only what opens a connection to it is captured.
    this.#ensureRoutes(ready.flatMap(({ free }) => free));
    await this.#write([
      ...inOrderOfLeaving(left).map(deleteLine),
      ...ready.flatMap((plan) => this.#settle(plan)),
      ...missing.flatMap((entry) => addLines(places.place(entry))),
      ...inOrderOfLeaving(leaving).map(deleteLine),
    ]);
    const gone = [...left, ...leaving];
    forgetQuestions(this.#context, dnsAddresses([...gone, ...missing]));
    if (removed.length > 0) await forgetKept(this.#context, this.#context.notes.slots(), addressesOf(departing));
    // Last: what the sets do not tell yet would be stopped, once it is lifted.
    await addPorts(this.#context, portsOf(ready));
    this.#removeRoutes(gone, [...valid, ...wanted]);
    await this.#sweepNetworks(gone);
    return new Map(plans.flatMap(refusalOf));
  }

  /** Clears away members whose interface is gone: a crash left them. The rules for what they excluded are left to who completes the rules. */
  async sweep(): Promise<void> {
    const { all } = await readEntries(this.#context);
    const stale = staleEntries(all);
    await this.#release((owner) => all.some(({ uid }) => uid === owner), all);
    for (const uid of new Set(stale.map((entry) => entry.uid))) {
      this.#context.log.info({ uid }, "clearing away a workload whose interface is gone");
    }
    await this.#write(inOrderOfLeaving(stale).map(deleteLine));
    forgetQuestions(this.#context, dnsAddresses(stale));
    await forgetKept(this.#context, this.#context.notes.slots(), addressesOf(stale));
    this.#removeRoutes(stale, all);
  }

  /** Whoever hangs on a bridge where nothing can be lifted is not enrolled at all. */
  async #refuseBridged(plans: readonly Attempt[]): Promise<readonly Attempt[]> {
    try {
      await requireLift(this.#context, portsOf(plans.flatMap(({ value }) => value ?? [])));
      return plans;
    } catch (error) {
      if (errorCode(error) !== "ERR_BRIDGE") throw error;
      return plans.map((plan) => (plan.value?.port === undefined ? plan : { uid: plan.uid, error }));
    }
  }

  async #release(isMember: (uid: string) => boolean, entries: readonly MemberEntry[]): Promise<void> {
    using opened = new DisposableStack();
    const netnses = [...this.#context.notes.slots().values()].flatMap((slot) => netnsOf(slot) ?? []);
    const proxies = netnses.map((netns) => opened.use(netns));
    await releaseMembers(
      this.#context,
      isMember,
      (uid) => heldBy(addressesOf(entries.filter((entry) => entry.uid === uid)), proxies) > 0,
    );
  }

  /** A set is there before the rule that names it, and the rule before the set has anybody in it. */
  async #nameNetworks(entries: MemberEntries, wanted: readonly MemberEntry[]): Promise<void> {
    const present = entries.networks();
    const all = networksOf([...entries.all, ...wanted]);
    if (all.length === present.length) return;
    await ensureNetworkSets(this.#context, networksOf(wanted));
    await this.#updateRules(all);
  }

  /** Networks that nobody excludes any more. */
  async #sweepNetworks(removed: readonly MemberEntry[]): Promise<void> {
    const candidates = networksOf(removed);
    if (candidates.length === 0) return;
    const entries = await readEntries(this.#context);
    if (networksOf([...entries.all, ...removed]).length === entries.networks().length) return;
    await this.#updateRules(entries.networks());
    await sweepNetworkSets(this.#context, entries);
  }

  /** Connections that are older than an address' enrolment may go on for a time, or not at all. */
  #settle({ workload, wanted, present }: Plan): string[] {
    const { drainSeconds } = this.#context.config;
    if (workload.enrolExisting === "reset") return present.filter(({ role }) => role === "settling").map(deleteLine);
    if (drainSeconds === 0) return [];
    return wanted
      .filter(({ role }) => role === "to")
      .filter((entry) => !present.some((other) => isSameEntry(entry, other)))
      .flatMap((entry) => addLines({ ...entry, role: "settling" }, drainSeconds));
  }

  #ensureRoutes(addresses: readonly string[]): void {
    const { families, layout } = this.#context;
    for (const family of families) {
      const own = addresses.filter((address) => familyOf(address) === family);
      if (own.length === 0) continue;
      const wanted = memberRoutes(this.#context, own);
      ensureRoutes(wanted, routes(undefined, { family, table: layout.tables.inbound }));
    }
  }

  /** Of addresses that nobody has any more: whose entries went and that none of `all`, but for those, has. */
  #removeRoutes(gone: readonly MemberEntry[], all: readonly MemberEntry[]): void {
    const { families, layout } = this.#context;
    const went = new Set(gone);
    const held = new Set(addressesOf(all.filter((entry) => !went.has(entry))));
    const addresses = addressesOf(gone).filter((address) => !held.has(address));
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

interface Attempt {
  readonly uid: WorkloadUid;
  readonly value?: Plan;
  readonly error?: unknown;
}

const portsOf = (plans: readonly Plan[]): BridgePort[] => plans.flatMap(({ port }) => port ?? []);

function attempt(uid: WorkloadUid, work: () => Plan): Attempt {
  try {
    return { uid, value: work() };
  } catch (error) {
    return { uid, error };
  }
}

function refusalOf({ uid, value, error }: Attempt): [uid: WorkloadUid, why: unknown][] {
  if (value === undefined) return [[uid, error]];
  return value.taken.size > 0 ? [[uid, addressesInUse(value)]] : [];
}

/** What captures goes before what lets by. */
function inOrderOfLeaving(entries: readonly MemberEntry[]): MemberEntry[] {
  const rank = ({ role }: MemberEntry): number => ["iface", "from", "to"].indexOf(role) + 1 || 4;
  return [...entries].sort((a, b) => rank(a) - rank(b));
}

const addressesOf = (entries: readonly MemberEntry[]): string[] =>
  sortedUnique(entries.filter(({ role }) => role === "from" || role === "to").map(addressOf));
