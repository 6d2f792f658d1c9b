import { setTimeout as sleep } from "node:timers/promises";
import type { Workload } from "@millrace/core";
import { removeEmpty, requireHostLinkAsync, requireNetns, type Translated } from "@millrace/host";
import { link, links } from "linux-ts";
import type { Hook } from "./attachment.ts";
import { addressesInUse, type Claim, claimAddresses, requireFree } from "./claims.ts";
import { hasExclusions } from "./exclusions.ts";
import { InterfaceHolders } from "./interface-holders.ts";
import {
  WORKLOAD_DNS,
  WORKLOAD_EXCLUDES,
  WORKLOAD_JOINING,
  WORKLOAD_LEAVING,
  WORKLOAD_PASSING,
  type WorkloadEntry,
} from "./layout.ts";
import type { MemberKernel } from "./node-kernel.ts";
import { makeDirectory, removePins, type WorkloadPin } from "./pins.ts";
import { workloadHooks } from "./workload-hooks.ts";

/** Longer than a packet is in a queue between two veths. */
export const SETTLE_MS = 20;

/** process.hrtime is CLOCK_MONOTONIC (libuv uv_hrtime()), which bpf_ktime_get_ns() reads too. */
const now = (): bigint => process.hrtime.bigint();

/**
 * The members of the node. The kernel's state of one consists of a directory that names the interface, an entry in `workloads`, one
 * in `members` per address, and two programs. They are made in this order and removed in the opposite one, so a crash leaves either a
 * directory that says what to finish or remove, or nothing.
 *
 * Attaching the second program takes its time (tcx: 15 to 19 ms), and a connection that is caught one way only would be reset. So
 * both are attached while the entry says WORKLOAD_PASSING: new connections pass, those a proxy has stay with it. Clearing that flag is
 * the enrolment, one write that both programs see; connections from before it pass on (adopt_until_ns). Leaving goes the same way
 * back: the flag is set, the connections that a proxy has may end, then the programs come off.
 */
export class Workloads {
  readonly #kernel: MemberKernel;
  readonly #holders: InterfaceHolders;

  constructor(kernel: MemberKernel) {
    this.#kernel = kernel;
    this.#holders = new InterfaceHolders(kernel.pins);
  }

  /**
   * Throws `ERR_INTERFACE_GONE`, `ERR_INTERFACE_IN_USE`, `ERR_MAP_FULL` and `ERR_FOREIGN_OBJECT`, after which a pod that was not enrolled before is not now
   * either; `ERR_ADDRESS_IN_USE`, after which it is enrolled with its other addresses; and `ERR_MAP_FULL` for want of room for its
   * exclusions, after which it is enrolled and excludes less.
   */
  async apply(workload: Workload, translated?: () => Translated): Promise<void> {
    const { pins, maps } = this.#kernel;
    const { hostIndex, hostName } = workload.interface;
    requireNetns(workload.interface)[Symbol.dispose]();
    await requireHostLinkAsync(workload.interface);

    const pin = { uid: workload.uid, ifindex: hostIndex, directory: pins.workload(workload.uid, hostIndex) };
    const own = pins.workloadsOf(workload.uid);
    requireFree(workload, this.#holders.of(hostIndex)?.uid);
    const isNew = !own.some(({ ifindex }) => ifindex === hostIndex);
    const { free, taken } = this.#claim(workload);
    let excludes: unknown;
    try {
      makeDirectory(pin.directory);
      this.#holders.note(pin);
      const begins = isNew || this.#has(pin, WORKLOAD_PASSING | WORKLOAD_JOINING);
      // Another redirection may have it: then each connection stays with the one where it began, until it is known what the node translates of them.
      const joins = begins && workload.enrolExisting === "reset" ? translated : undefined;
      // Not where proxies may have what it began here earlier, as after a release: nobody has noted that.
      if (isNew && joins !== undefined) this.#setFlags(pin, WORKLOAD_JOINING | WORKLOAD_PASSING);
      else if (isNew) this.#setFlags(pin, WORKLOAD_PASSING);
      if (joins === undefined) this.#writeMembers(workload, free, isNew);
      await this.#attach(workloadHooks(this.#kernel, pin, hostName));
      // Without room for its exclusions it is captured all the more, and the error told at the end.
      excludes = this.#exclude(workload);
      if (joins !== undefined) {
        // Without notes this much is to be known before.
        if (!this.#has(pin, WORKLOAD_JOINING)) this.carryOn(pin, free, joins());
        this.#writeMembers(workload, free, isNew);
        // From here on nothing begins by the other one any more: what is read then is all.
        this.#captureNew(workload);
        await sleep(SETTLE_MS);
        // Begun by a proxy through the node in the meantime, and not translated: from now on straight back to the proxy.
        maps.forgetViaHost(new Set(free));
        this.carryOn(pin, free, joins());
      }
      this.#capture(workload, begins);
    } catch (error) {
      if (isNew) await this.#removeInterface(pin);
      throw error;
    }
    for (const old of own) if (old.ifindex !== hostIndex) await this.#removeInterface(old);
    if (excludes !== undefined) throw excludes;
    if (taken.size > 0) throw addressesInUse(workload, taken);
  }

  /**
   * Lets new connections of a workload pass and leaves those to the proxies that they have: the first half of removing. Returns its
   * addresses, none if it has no interface any more that connections could go on over.
   */
  release(uid: string): string[] {
    const leaving = this.#present(uid);
    for (const pin of leaving) this.#setFlags(pin, WORKLOAD_PASSING);
    return leaving.flatMap((pin) => this.#addressesOf(pin));
  }

  /**
   * Before a release to another redirection: what begins from now on is noted, so that what a proxy accepts after the release is told from it. Connections that
   * are on their way when this is written are not: `release` comes when they have been answered.
   */
  leave(uid: string): void {
    for (const pin of this.#present(uid)) {
      if (!this.#has(pin, WORKLOAD_PASSING)) this.#setFlags(pin, WORKLOAD_LEAVING);
    }
  }

  #present(uid: string): WorkloadPin[] {
    return this.#kernel.pins.workloadsOf(uid).filter(({ ifindex }) => link(undefined, ifindex) !== undefined);
  }

  /** Of a workload that is being handed over: what proxies send it goes by the node from now on. */
  forgetAddresses(uid: string): void {
    const { pins, maps } = this.#kernel;
    for (const pin of pins.workloadsOf(uid)) {
      for (const address of this.#addressesOf(pin)) maps.members.delete(address);
    }
  }

  /**
   * What the node translates of a workload's connections goes on through the node: those that were captured there, as long as what captured them stays, and
   * those that a proxy has opened to it, which are sent back the way they came.
   */
  carryOn({ ifindex }: WorkloadPin, addresses: readonly string[], { taken, dialled }: Translated): void {
    const { maps } = this.#kernel;
    const own = new Set(addresses);
    const sent = taken.filter(({ original }) => own.has(original.source));
    const answered = dialled.filter(({ reply }) => own.has(reply.source));
    for (const { original, reply } of sent) {
      maps.sendByHost(reply);
      maps.sendViaHost(original);
    }
    for (const { reply } of answered) maps.sendViaHost(reply);
    const entry = maps.workloads.get(ifindex);
    if (entry && sent.length + answered.length > 0) maps.workloads.set(ifindex, { ...entry, via_host: 1 });
  }

  /** The second half: takes the programs off and clears the entries away. */
  async remove(uid: string, formerAddresses: readonly string[] = []): Promise<void> {
    for (const pin of this.#kernel.pins.workloadsOf(uid)) await this.#removeInterface(pin, formerAddresses);
  }

  has(uid: string): boolean {
    return this.#kernel.pins.workloadsOf(uid).length > 0;
  }

  async removeAll(): Promise<void> {
    for (const pin of this.#kernel.pins.workloads()) await this.#removeInterface(pin);
  }

  /** After a restart: finishes what stands on an interface that is there, and clears away what does not. */
  async adopt(): Promise<void> {
    const { pins, maps, hooks, object, log } = this.#kernel;
    const names = new Map(links().map(({ index, name }) => [index, name]));
    for (const pin of pins.workloads()) {
      this.#holders.note(pin);
      const ifName = names.get(pin.ifindex);
      const attached = workloadHooks(this.#kernel, pin, ifName ?? "").filter(
        (hook) => ifName && hooks.inspect(hook).programId,
      );
      const hasEntry = maps.workloads.get(pin.ifindex) !== undefined;
      if (ifName === undefined || (!hasEntry && attached.length === 0)) {
        log.info({ uid: pin.uid, ifindex: pin.ifindex }, "clearing away a workload that is gone or was half enrolled");
        await this.#removeInterface(pin);
        continue;
      }
      if (!hasEntry) {
        // Neither enrolling nor leaving has a moment like this: somebody removed the entry, or the whole map.
        log.warn({ uid: pin.uid, interface: ifName }, "a workload's entry was lost; all of its TCP is captured");
        maps.workloads.set(pin.ifindex, { flags: WORKLOAD_EXCLUDES, via_host: 1, adopt_until_ns: 0n });
      }
      // Where the programs are not all there the crash came before apply() was done: it is asked for again, with the whole workload.
      for (const hook of attached) await hooks.ensure(hook, object.program(hook.program));
    }
    this.sweepEntries();
  }

  /** Clears away entries of interfaces that no directory names. */
  sweepEntries(): void {
    const { pins, maps } = this.#kernel;
    const enrolled = new Set(pins.workloads().map(({ ifindex }) => ifindex));
    for (const [ifindex] of [...maps.workloads.entries()]) if (!enrolled.has(ifindex)) maps.workloads.delete(ifindex);
    for (const [address, { ifindex }] of [...maps.members.entries()]) {
      if (!enrolled.has(ifindex)) maps.members.delete(address);
    }
    maps.exclusions.remove((ifindex) => !enrolled.has(ifindex));
  }

  /**
   * Clears the time until which connections from before an enrolment pass, where it is over: until then the programs ask the clock for each
   * packet. Returns in how many milliseconds the next is over; undefined: none is left. Not while another redirection is joined
   * or left, when notes are told apart by that time.
   */
  endAdoptions(): number | undefined {
    const { workloads } = this.#kernel.maps;
    const moment = now();
    let next: bigint | undefined;
    for (const [ifindex, entry] of [...workloads.entries()]) {
      const { flags, adopt_until_ns: until } = entry;
      if (until === 0n || flags & (WORKLOAD_PASSING | WORKLOAD_JOINING | WORKLOAD_LEAVING)) continue;
      if (until <= moment) workloads.set(ifindex, { ...entry, adopt_until_ns: 0n });
      else if (next === undefined || until < next) next = until;
    }
    return next === undefined ? undefined : Number((next - moment) / 1_000_000n) + 1;
  }

  /** Both at once: each waits for rtnetlink's lock. Throws what the first that failed did, when none is on its way any more. */
  async #attach(hooks: readonly Hook[]): Promise<void> {
    const ensured = hooks.map((hook) => this.#kernel.hooks.ensure(hook, this.#kernel.object.program(hook.program)));
    const failed = (await Promise.allSettled(ensured)).find(({ status }) => status === "rejected");
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
  }

  #claim(workload: Workload): Claim {
    return claimAddresses(workload, (address) => {
      const held = this.#kernel.maps.members.get(address);
      const holder = held && this.#holders.of(held.ifindex);
      return holder !== undefined && link(undefined, holder.ifindex) ? holder.uid : undefined;
    });
  }

  /** Has any of these flags. */
  #has({ ifindex }: WorkloadPin, flags: number): boolean {
    return ((this.#kernel.maps.workloads.get(ifindex)?.flags ?? 0) & flags) !== 0;
  }

  #setFlags({ ifindex }: WorkloadPin, flags: number): void {
    const { workloads } = this.#kernel.maps;
    const present = workloads.get(ifindex);
    const until = present?.adopt_until_ns ?? 0n;
    // What is noted is told from what an earlier time has noted by this moment.
    const moment = flags & (WORKLOAD_JOINING | WORKLOAD_LEAVING) ? now() : 0n;
    workloads.set(ifindex, {
      flags: (present?.flags ?? 0) | flags,
      via_host: present?.via_host ?? 0,
      adopt_until_ns: until > moment ? until : moment,
    });
  }

  /** Writes the workload's exclusions, and returns what kept some of them from being written. */
  #exclude({ interface: { hostIndex }, exclusions }: Workload): unknown {
    const { workloads, exclusions: tables } = this.#kernel.maps;
    const excludedBefore = ((workloads.get(hostIndex)?.flags ?? 0) & WORKLOAD_EXCLUDES) !== 0;
    if (!excludedBefore && !hasExclusions(exclusions)) return undefined;
    try {
      tables.write(hostIndex, exclusions);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** Captures what begins from now on, as the workload says. While it joins the rest stays where it is. */
  #captureNew(workload: Workload): void {
    const { workloads } = this.#kernel.maps;
    const { hostIndex } = workload.interface;
    const present = workloads.get(hostIndex);
    if (present === undefined) return;
    workloads.set(hostIndex, { ...present, flags: flagsOf(workload, present) | (present.flags & WORKLOAD_JOINING) });
  }

  /** Captures from now on, as the workload says. What existed before an enrolment that begins now may drain. */
  #capture(workload: Workload, begins: boolean): void {
    const { maps, config } = this.#kernel;
    const { enrolExisting, interface: pod } = workload;
    const present = maps.workloads.get(pod.hostIndex);
    const flags = flagsOf(workload, present);
    const fresh = () => now() + BigInt(config.drainSeconds) * 1_000_000_000n;
    const until = enrolExisting === "reset" ? 0n : begins ? fresh() : (present?.adopt_until_ns ?? 0n);
    if (present?.flags === flags && present.adopt_until_ns === until) return;
    maps.workloads.set(pod.hostIndex, { flags, via_host: present?.via_host ?? 0, adopt_until_ns: until });
  }

  #addressesOf({ ifindex: of }: WorkloadPin): string[] {
    return this.#kernel.maps.members.keysWhere(({ ifindex }) => ifindex === of);
  }

  /** An interface that was not enrolled has no addresses that it would have to give up. */
  #writeMembers({ interface: { hostIndex, mac } }: Workload, wanted: readonly string[], isNew: boolean): void {
    const { members } = this.#kernel.maps;
    for (const address of wanted) members.ensure(address, { ifindex: hostIndex, mac });
    if (isNew) return;
    for (const address of members.keysWhere(({ ifindex }) => ifindex === hostIndex)) {
      if (!wanted.includes(address)) members.delete(address);
    }
  }

  async #removeInterface(pin: WorkloadPin, formerAddresses: readonly string[] = []): Promise<void> {
    const { hooks, maps, pins } = this.#kernel;
    for (const hook of workloadHooks(this.#kernel, pin, `interface ${pin.ifindex}`).reverse()) await hooks.detach(hook);
    const present = this.#addressesOf(pin);
    for (const address of present) maps.members.delete(address);
    const addresses = [...present, ...formerAddresses];
    const entry = maps.workloads.get(pin.ifindex);
    if (entry?.via_host) maps.forgetViaHost(new Set(addresses));
    if ((entry?.flags ?? 0) & WORKLOAD_EXCLUDES) {
      maps.exclusions.remove((ifindex) => ifindex === pin.ifindex);
      maps.exclusions.forgetConnections(new Set(addresses));
    }
    maps.workloads.delete(pin.ifindex);
    removePins(pin.directory);
    this.#holders.forget(pin);
    removeEmpty(pins.workloadParent(pin.uid));
  }
}

/** Of a workload that is captured, whatever its present entry. */
function flagsOf({ dnsCapture, exclusions }: Workload, present: WorkloadEntry | undefined): number {
  const excludedBefore = (present?.flags ?? 0) & WORKLOAD_EXCLUDES;
  const excludes = hasExclusions(exclusions) ? WORKLOAD_EXCLUDES : excludedBefore;
  return excludes | (dnsCapture ? WORKLOAD_DNS : 0);
}
