import { setImmediate as turn } from "node:timers/promises";
import type {
  ForeignObject,
  Observation,
  ProxyObservation,
  Workload,
  WorkloadObservation,
  WorkloadUid,
} from "@millrace/core";
import { sortedUnique } from "@millrace/core/internal";
import { type Link, link, linkAsync, links } from "linux-ts";
import { flagged } from "./address-flags.ts";
import type { Hook, HookState } from "./attachment.ts";
import { compareExclusions, describeExclusion, type ExclusionKey } from "./exclusions.ts";
import {
  ADDRESS_NODE,
  MAX_PROXIES,
  WORKLOAD_DNS,
  WORKLOAD_EXCLUDES,
  WORKLOAD_JOINING,
  WORKLOAD_PASSING,
} from "./layout.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { observeProxy } from "./observe-proxy.ts";
import type { WorkloadPin } from "./pins.ts";
import { settingFlags } from "./proxies.ts";
import type { ProxySlots } from "./proxy-slots.ts";
import { roleOf } from "./slot-identity.ts";
import { strayFilters } from "./stray-filters.ts";
import { workloadHooks } from "./workload-hooks.ts";

/** So many workloads are read at a time. Between, the event loop turns and other verbs have theirs: a pod is not kept waiting by this. */
const WORKLOADS_AT_A_TIME = 4;

/** How the parts of a reading are done. */
export interface Sections {
  /** While no other verb runs. */
  alone<T>(read: () => T | Promise<T>): Promise<T>;
  /** While none of these workloads changes. Others may be applied meanwhile: that waits for the kernel most of its time, and would have to be over first. */
  beside<T>(uids: Iterable<WorkloadUid>, read: () => T | Promise<T>): Promise<T>;
}

/** What concerns several workloads, read once: what is done for each of them must not grow with their number. By interface. */
interface Tables {
  readonly names: ReadonlyMap<number, string>;
  readonly members: ReadonlyMap<number, readonly [string, { readonly mac: string }][]>;
  readonly exclusions: ReadonlyMap<number, readonly ExclusionKey[]>;
}

const readTables = ({ members, exclusions }: NodeKernel["maps"], links: readonly Link[]): Tables => ({
  names: new Map(links.map(({ index, name }) => [index, name])),
  members: Map.groupBy(members.entries(), ([, { ifindex }]) => ifindex),
  exclusions: exclusions.byInterface(),
});

/**
 * Reads back everything of ours from the kernel. `wanted` is only what to compare with; without it nothing is missed that is there. What
 * another verb changes between two sections may be in the one and not in the other: the caller knows which subjects were changed.
 */
export async function observe(
  kernel: NodeKernel,
  slots: ProxySlots,
  wanted: ReadonlyMap<string, Workload>,
  sections: Sections,
): Promise<Observation> {
  const { maps, pins } = kernel;
  const { byUid, tables } = await sections.alone(() => ({
    byUid: Map.groupBy(pins.workloads(), ({ uid }) => uid),
    tables: readTables(maps, links()),
  }));
  const workloads = await readWorkloads(kernel, tables, [...byUid], wanted, sections);
  for (const workload of wanted.values()) if (!byUid.has(workload.uid)) workloads.push(vanished(workload));
  const node = await sections.alone(() => observeNode(kernel, slots));
  return { ...node, workloads: workloads.sort((a, b) => (a.uid < b.uid ? -1 : 1)) };
}

/** The same of these workloads alone. Of the maps all is read, at so many entries a call: cheaper than anything that grows with pods. */
export async function observeWorkloads(
  kernel: NodeKernel,
  wanted: ReadonlyMap<string, Workload>,
  uids: ReadonlySet<string>,
  sections: Sections,
): Promise<WorkloadObservation[]> {
  const { maps, pins } = kernel;
  const { pinned, tables } = await sections.beside(uids, async () => {
    const pinned = [...uids].map((uid) => [uid, pins.workloadsOf(uid)] as const);
    const asked = pinned.flatMap(([, enrolled]) => enrolled.map(({ ifindex }) => linkAsync(undefined, ifindex)));
    const interfaces = (await Promise.all(asked)).filter((found) => found !== undefined);
    return { pinned, tables: readTables(maps, interfaces) };
  });
  const present = pinned.filter(([, enrolled]) => enrolled.length > 0);
  const workloads = await readWorkloads(kernel, tables, present, wanted, sections);
  const missing = pinned.filter(([, enrolled]) => enrolled.length === 0);
  return [...workloads, ...missing.flatMap(([uid]) => wanted.get(uid) ?? []).map(vanished)];
}

async function readWorkloads(
  kernel: NodeKernel,
  tables: Tables,
  pinned: readonly (readonly [uid: string, enrolled: readonly WorkloadPin[]])[],
  wanted: ReadonlyMap<string, Workload>,
  sections: Sections,
): Promise<WorkloadObservation[]> {
  const workloads: WorkloadObservation[] = [];
  for (const some of chunks(pinned, WORKLOADS_AT_A_TIME)) {
    await turn();
    const uids = some.map(([uid]) => uid);
    await sections.beside(uids, async () => {
      for (const [uid, enrolled] of some)
        workloads.push(await observeWorkload(kernel, tables, uid, enrolled, wanted.get(uid)));
    });
  }
  await turn();
  return workloads;
}

/** What is no workload's. */
async function observeNode(kernel: NodeKernel, slots: ProxySlots): Promise<Omit<Observation, "workloads">> {
  const { maps } = kernel;
  const settings = maps.settings();
  const proxies: ProxyObservation[] = [];
  const problems: string[] = [];
  const wantsDns = slots.wantsDns();
  for (const slot of slots.all()) {
    const role = roleOf(settings, slot.index);
    if (role && slot.identity)
      proxies.push(await observeProxy(kernel, { ...slot, identity: slot.identity }, role, wantsDns));
    else problems.push(`proxy slot ${slot.index} is left over`);
  }
  return {
    proxies,
    problems: sortedUnique([
      ...problems,
      ...settingProblems(kernel, slots),
      ...mapProblems(kernel),
      ...filterProblems(kernel, slots),
      ...(kernel.acceleration?.problems(slots) ?? []),
    ]),
    nodeAddresses: sortedUnique(flagged(maps, ADDRESS_NODE)),
    counters: { ...maps.counters(), ...kernel.acceleration?.counters() },
    maps: maps.fills(),
  };
}

async function observeWorkload(
  kernel: NodeKernel,
  tables: Tables,
  uid: string,
  enrolled: readonly WorkloadPin[],
  wanted: Workload | undefined,
): Promise<WorkloadObservation> {
  const { maps } = kernel;
  const pin = enrolled.find(({ ifindex }) => ifindex === wanted?.interface.hostIndex) ?? enrolled.at(-1);
  if (!pin) throw new RangeError(`workload ${uid} has no interface`);
  const problems = enrolled.filter((other) => other !== pin).map(({ ifindex }) => `left over on interface ${ifindex}`);
  const foreign: ForeignObject[] = [];
  const hostName = tables.names.get(pin.ifindex);
  if (hostName === undefined) {
    problems.push(`interface ${pin.ifindex} is gone`);
  } else {
    for (const hook of workloadHooks(kernel, pin, hostName)) {
      const state = await kernel.hooks.inspectAsync(hook);
      problems.push(...hookProblems(hook, state, kernel.object.program(hook.program).info.id));
      foreign.push(...state.ahead);
    }
  }
  const entry = maps.workloads.get(pin.ifindex);
  if (!entry) problems.push("entry in workloads is missing");
  else if (entry.flags & WORKLOAD_PASSING) problems.push("new connections pass: enrolment or removal is not finished");
  else if (entry.flags & WORKLOAD_JOINING)
    problems.push("what another redirection has begun stays with it: enrolment is not finished");
  const members = tables.members.get(pin.ifindex) ?? [];
  const addresses = sortedUnique(members.map(([address]) => address));
  if (wanted) {
    problems.push(...captureProblems(tables, pin.ifindex, entry?.flags ?? 0, wanted));
    problems.push(...(kernel.acceleration?.problemsOf(wanted) ?? []));
    problems.push(
      ...wanted.addresses
        .filter((address) => !addresses.includes(address))
        .map((address) => `address ${address} is missing`),
    );
    problems.push(
      ...addresses
        .filter((address) => !wanted.addresses.includes(address))
        .map((address) => `address ${address} is left over`),
    );
    problems.push(
      ...members
        .filter(([, { mac }]) => mac !== wanted.interface.mac)
        .map(([address, { mac }]) => `address ${address} has the MAC ${mac}`),
    );
  }
  return {
    uid,
    // What shadows us is not ours to remove, so it is no problem that enrolling again could mend: it is told apart.
    state: problems.length === 0 && foreign.length === 0 ? "complete" : "partial",
    problems: sortedUnique(problems),
    foreign,
    addresses,
    hostIndex: pin.ifindex,
  };
}

/** Where what is captured and what is not differ from what was applied. */
function captureProblems(tables: Tables, ifindex: number, flags: number, wanted: Workload): string[] {
  const capturesDns = (flags & WORKLOAD_DNS) !== 0;
  const keeps = (flags & WORKLOAD_EXCLUDES) !== 0;
  const excludes = Object.values(wanted.exclusions).some((list) => list.length > 0);
  const { missing, leftOver } = compareExclusions(ifindex, wanted.exclusions, tables.exclusions.get(ifindex) ?? []);
  return [
    ...(capturesDns === wanted.dnsCapture ? [] : [`DNS is ${capturesDns ? "" : "not "}captured`]),
    ...(excludes && !keeps ? ["exclusions are not looked at"] : []),
    ...missing.map((key) => `exclusion of ${describeExclusion(key)} is missing`),
    ...leftOver.map((key) => `exclusion of ${describeExclusion(key)} is left over`),
  ];
}

/** A workload that was applied and of which nothing is left: somebody removed its directory. */
function vanished({ uid, interface: { hostIndex } }: Workload): WorkloadObservation {
  return { uid, state: "partial", problems: ["nothing of it is enrolled"], foreign: [], addresses: [], hostIndex };
}

/** What is wrong at a hook, in short phrases. */
export function hookProblems({ program }: Hook, { programId }: HookState, wantedId: number | undefined): string[] {
  if (programId === undefined) return [`${program} is not attached`];
  return programId === wantedId ? [] : [`${program} is another version`];
}

function settingProblems(kernel: NodeKernel, slots: ProxySlots): string[] {
  const { active, draining, flags } = kernel.maps.settings();
  const existing = new Set(slots.all().map(({ index }) => index));
  const used = Array.from({ length: MAX_PROXIES }, (_, slot) => slot).filter(
    (slot) => active === slot + 1 || (draining >> slot) & 1,
  );
  return [
    ...(flags === settingFlags(kernel) ? [] : [`settings have the flags ${flags}, not ${settingFlags(kernel)}`]),
    ...used
      .filter((slot) => !existing.has(slot))
      .map((slot) => `settings name proxy slot ${slot}, which does not exist`),
  ];
}

function filterProblems(kernel: NodeKernel, slots: ProxySlots): string[] {
  return strayFilters(kernel, slots.all()).map(({ program, ifName }) => `${program} on ${ifName} is left over`);
}

/** Entries that no directory accounts for, pins that are gone, and what somebody else put among ours. */
function mapProblems({ maps, pins, object }: NodeKernel): string[] {
  const enrolled = new Set(pins.workloads().map(({ ifindex }) => ifindex));
  const nameOf = (ifindex: number) => link(undefined, ifindex)?.name ?? `interface ${ifindex}, which is gone`;
  return [
    ...[...maps.workloads.entries()]
      .filter(([ifindex]) => !enrolled.has(ifindex))
      .map(([ifindex]) => `entry in workloads for ${nameOf(ifindex)} is left over`),
    ...[...maps.members.entries()]
      .filter(([, { ifindex }]) => !enrolled.has(ifindex))
      .map(([address]) => `entry in members for ${address} is left over`),
    ...[...maps.exclusions.byInterface().keys()]
      .filter((ifindex) => !enrolled.has(ifindex))
      .map((ifindex) => `exclusions of ${nameOf(ifindex)} are left over`),
    ...object.missingPins().map((path) => `pin ${path} is missing`),
    ...[...pins.strayProxies(), ...pins.strayWorkloads()].map((path) => `${path} is nothing of ours`),
  ];
}

function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
