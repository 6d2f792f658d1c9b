import { sortedUnique, type Workload } from "@millrace/core";
import { links } from "linux-ts";
import type { Hook } from "./attachment.ts";
import { EbpfError } from "./errors.ts";
import { WORKLOAD_VIA_HOST } from "./layout.ts";
import { requireHostLink, requireNetns } from "./netns-lookup.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { makeDirectory, removeEmpty, removePins, type WorkloadPin } from "./pins.ts";

/** The programs of a member's host veth, in the order in which they are attached. */
const WORKLOAD_HOOKS = [
  { direction: "egress", program: "app_inbound" },
  { direction: "ingress", program: "app_outbound" },
] as const;

/** Hooks of an enrolled interface. */
export function workloadHooks(pin: WorkloadPin, ifName: string): Hook[] {
  return WORKLOAD_HOOKS.map((hook) => ({
    ...hook,
    netns: undefined,
    ifindex: pin.ifindex,
    ifName,
    directory: pin.directory,
  }));
}

/**
 * The members of the node. The kernel's state of one consists of a directory that names the interface, an entry in `workloads`, one
 * in `members` per address, and two programs. They are made in this order and removed in the opposite one, so a crash leaves either a
 * directory that says what to finish or remove, or nothing.
 *
 * Entries come before programs: a program that runs without its entry takes the connections a pod already has for unknown ones. While
 * only one of the two programs is attached, connections older than the enrolment pass (adopt_until_ns), and a new one that is caught
 * in one direction only loses its first SYN, which TCP sends again after one second (RFC 6298 section 2).
 */
export class Workloads {
  readonly #kernel: NodeKernel;

  constructor(kernel: NodeKernel) {
    this.#kernel = kernel;
  }

  /**
   * Throws `ERR_INTERFACE_GONE`, `ERR_MAP_FULL` and `ERR_FOREIGN_OBJECT`, after which a pod that was not enrolled before is not now
   * either; and `ERR_ADDRESS_IN_USE`, after which it is enrolled with its other addresses.
   */
  async apply(workload: Workload): Promise<void> {
    const { pins } = this.#kernel;
    const { hostIndex, hostName } = workload.interface;
    requireNetns(workload.interface)[Symbol.dispose]();
    requireHostLink(workload.interface);

    const pin = { uid: workload.uid, ifindex: hostIndex, directory: pins.workload(workload.uid, hostIndex) };
    const enrolled = pins.workloads();
    const isNew = !enrolled.some(({ directory }) => directory === pin.directory);
    const { free, taken } = this.#claim(workload, enrolled);
    try {
      makeDirectory(pin.directory);
      this.#writeEntry(workload, isNew);
      this.#writeMembers(workload, free);
      for (const hook of workloadHooks(pin, hostName)) {
        await this.#kernel.hooks.ensure(hook, this.#kernel.object.program(hook.program));
      }
    } catch (error) {
      if (isNew) this.#removeInterface(pin);
      throw error;
    }
    for (const old of enrolled) {
      if (old.uid === workload.uid && old.ifindex !== hostIndex) this.#removeInterface(old);
    }
    if (taken.size > 0) throw addressesInUse(workload, taken);
  }

  remove(uid: string): void {
    for (const pin of this.#kernel.pins.workloads()) {
      if (pin.uid === uid) this.#removeInterface(pin);
    }
  }

  removeAll(): void {
    for (const pin of this.#kernel.pins.workloads()) this.#removeInterface(pin);
  }

  /** After a restart: finishes what stands on an interface that is there, and clears away what does not. */
  async adopt(): Promise<void> {
    const { pins, maps, hooks, object, log } = this.#kernel;
    const names = new Map(links().map(({ index, name }) => [index, name]));
    for (const pin of pins.workloads()) {
      const ifName = names.get(pin.ifindex);
      if (ifName === undefined || !maps.workloads.get(pin.ifindex)) {
        log.info({ uid: pin.uid, ifindex: pin.ifindex }, "clearing away a workload that is gone or was half enrolled");
        this.#removeInterface(pin);
        continue;
      }
      // Where the programs are not all there the crash came before apply() was done: it is asked for again, with the whole workload.
      for (const hook of workloadHooks(pin, ifName)) {
        if (hooks.inspect(hook).programId !== undefined) await hooks.ensure(hook, object.program(hook.program));
      }
    }
    this.#sweepEntries();
  }

  /** Entries of interfaces that no directory names. */
  #sweepEntries(): void {
    const { pins, maps } = this.#kernel;
    const enrolled = new Set(pins.workloads().map(({ ifindex }) => ifindex));
    for (const [ifindex] of [...maps.workloads.entries()]) if (!enrolled.has(ifindex)) maps.workloads.delete(ifindex);
    for (const [address, { ifindex }] of [...maps.members.entries()]) {
      if (!enrolled.has(ifindex)) maps.members.delete(address);
    }
  }

  /** Splits the workload's addresses into those it can have, and those another enrolled workload holds, with their holder. */
  #claim(workload: Workload, enrolled: readonly WorkloadPin[]): { free: string[]; taken: Map<string, string> } {
    const free: string[] = [];
    const taken = new Map<string, string>();
    for (const address of workload.addresses) {
      const held = this.#kernel.maps.members.get(address);
      const holder = enrolled.find(({ ifindex, uid }) => ifindex === held?.ifindex && uid !== workload.uid);
      if (holder) taken.set(address, holder.uid);
      else free.push(address);
    }
    return { free, taken };
  }

  #writeEntry({ interface: { hostIndex }, enrolExisting }: Workload, isNew: boolean): void {
    const { maps, config } = this.#kernel;
    const present = isNew ? undefined : maps.workloads.get(hostIndex);
    if (present && (enrolExisting === "drain" || present.adopt_until_ns === 0n)) return;
    const isDraining = !present && enrolExisting === "drain";
    // process.hrtime is CLOCK_MONOTONIC (libuv uv_hrtime()), which bpf_ktime_get_ns() reads too.
    const until = isDraining ? process.hrtime.bigint() + BigInt(config.drainSeconds) * 1_000_000_000n : 0n;
    maps.workloads.set(hostIndex, { flags: present?.flags ?? 0, adopt_until_ns: until });
  }

  #writeMembers({ interface: { hostIndex, mac } }: Workload, wanted: readonly string[]): void {
    const { members } = this.#kernel.maps;
    for (const address of wanted) members.ensure(address, { ifindex: hostIndex, mac });
    for (const [address, { ifindex }] of [...members.entries()]) {
      if (ifindex === hostIndex && !wanted.includes(address)) members.delete(address);
    }
  }

  #removeInterface(pin: WorkloadPin): void {
    const { hooks, maps, pins } = this.#kernel;
    for (const hook of workloadHooks(pin, `interface ${pin.ifindex}`).reverse()) hooks.detach(hook);
    const addresses = [...maps.members.entries()].filter(([, { ifindex }]) => ifindex === pin.ifindex);
    for (const [address] of addresses) maps.members.delete(address);
    if ((maps.workloads.get(pin.ifindex)?.flags ?? 0) & WORKLOAD_VIA_HOST) {
      maps.forgetViaHost(new Set(addresses.map(([address]) => address)));
    }
    maps.workloads.delete(pin.ifindex);
    removePins(pin.directory);
    removeEmpty(pins.workloadParent(pin.uid));
  }
}

function addressesInUse(workload: Workload, taken: ReadonlyMap<string, string>): EbpfError {
  const holders = sortedUnique(taken.values()).join(", ");
  return new EbpfError(
    "ERR_ADDRESS_IN_USE",
    `${workload.namespace}/${workload.name}: ${[...taken.keys()].join(", ")} belongs to workload ${holders}, which is still enrolled; ` +
      "the other addresses are redirected, this one will be when that workload is removed",
  );
}
