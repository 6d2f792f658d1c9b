import { setTimeout as sleep } from "node:timers/promises";
import type {
  Call,
  Explanation,
  Flow,
  NodeFacts,
  Observation,
  Proxies,
  Redirection,
  UsedProxy,
  Workload,
  WorkloadObservation,
  WorkloadUid,
} from "@millrace/core";
import { KeyedMutex, Mutex, type Translated, translatedConnections, untilReleased } from "@millrace/host";
import { setFlag } from "./address-flags.ts";
import { AdoptionEnds } from "./adoption-ends.ts";
import { EbpfError, explainFailure } from "./errors.ts";
import { explain } from "./explain.ts";
import { holdingAll } from "./holding-all.ts";
import { ADDRESS_NODE } from "./layout.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { observe, observeWorkloads, type Sections } from "./observe.ts";
import { removePins } from "./pins.ts";
import { settingFlags, useProxies } from "./proxies.ts";
import { ProxySlots } from "./proxy-slots.ts";
import { removeStrayFilters } from "./stray-filters.ts";
import { uninstall } from "./uninstall.ts";
import { usedProxies } from "./used-proxies.ts";
import { SETTLE_MS, Workloads } from "./workloads.ts";

/**
 * The open eBPF redirection. Its verbs run one at a time, but workloads are applied side by side: each has an interface of its own, and
 * most of the time goes by in the kernel. Closing it leaves everything in the kernel as it is.
 */
export class EbpfRedirection implements Redirection {
  readonly #kernel: NodeKernel;
  readonly #workloads: Workloads;
  readonly #slots: ProxySlots;
  readonly #mutex = new Mutex();
  /** By workload: what is read of one beside others that are applied is not read while it is itself. */
  readonly #members = new KeyedMutex();
  /** For what workloads that are applied side by side may want of the same proxy. */
  readonly #dns = new Mutex();
  /** What was asked for since this process started, to compare with what the kernel holds. */
  readonly #wanted = new Map<WorkloadUid, Workload>();
  readonly #adoptions: AdoptionEnds;
  #hasChosen = false;
  #isClosed = false;

  private constructor(kernel: NodeKernel) {
    this.#kernel = kernel;
    this.#workloads = new Workloads(kernel);
    this.#slots = new ProxySlots(kernel);
    const end = () => this.#run("ending adoptions", undefined, async () => this.#workloads.endAdoptions());
    this.#adoptions = new AdoptionEnds(end, kernel.config.drainSeconds * 1000, kernel.log);
  }

  /** Adopts what an earlier run left: brings programs up to this version and clears away what a crash left half made. */
  static async adopt(kernel: NodeKernel): Promise<EbpfRedirection> {
    const redirection = new EbpfRedirection(kernel);
    const { maps, journal } = kernel;
    journal.sweep();
    const settings = maps.settings();
    if (settings.flags !== settingFlags(kernel)) maps.writeSettings({ ...settings, flags: settingFlags(kernel) });
    for (const slot of redirection.#slots.all()) await redirection.#slots.adopt(slot);
    await redirection.#workloads.adopt();
    redirection.#adoptions.expect();
    kernel.acceleration?.sweep();
    return redirection;
  }

  useProxies(proxies: Proxies, call?: Call): Promise<void> {
    return this.#run("choosing the proxies", call, async () => {
      const { object, pins } = this.#kernel;
      object.repin();
      for (const path of pins.strayProxies()) this.#clearAway(path);
      this.#workloads.sweepEntries();
      try {
        await useProxies(this.#kernel, this.#slots, proxies);
      } finally {
        this.#kernel.acceleration?.ensure();
        this.#kernel.acceleration?.useProxies(this.#slots);
      }
      // Not the first time: where the directories were lost, they are members' that apply() is about to take over.
      if (this.#hasChosen) {
        removeStrayFilters(this.#kernel, this.#slots.all());
        for (const path of pins.strayWorkloads()) this.#clearAway(path);
      }
      this.#hasChosen = true;
    });
  }

  usedProxies(call?: Call): Promise<readonly UsedProxy[]> {
    return this.#run("reading the proxies in use", call, async () => usedProxies(this.#kernel, this.#slots));
  }

  useNode({ addresses }: NodeFacts, call?: Call): Promise<void> {
    // Beside workloads that are applied: pods that start bring addresses, and this would wait for the slowest of them, with all that come behind.
    return this.#runShared("noting the node's addresses", call, async () =>
      setFlag(this.#kernel.maps, ADDRESS_NODE, addresses),
    );
  }

  apply(workload: Workload, call?: Call): Promise<void> {
    return this.#runMember(`redirecting ${workload.namespace}/${workload.name}`, [workload.uid], call, async () => {
      this.#wanted.set(workload.uid, workload);
      this.#kernel.object.repin();
      // Its DNS is captured even so, and dropped by the programs: captured traffic fails closed.
      const refused = workload.dnsCapture ? await this.#dns.run(() => this.#slots.takeDns()) : undefined;
      await this.#workloads.apply(workload, () => this.#translated());
      this.#adoptions.expect();
      this.#kernel.acceleration?.apply(workload);
      if (refused !== undefined) throw refused;
    });
  }

  async remove(uid: WorkloadUid, call?: Call): Promise<void> {
    const doing = `ending the redirection of workload ${uid}`;
    const addresses = await this.#run(doing, call, async () => {
      this.#wanted.delete(uid);
      return this.#workloads.release(uid);
    });
    // Not under the lock: others need not wait for this workload's connections to end.
    await this.#untilReleased(addresses);
    await this.#run(doing, undefined, async () => {
      if (!this.#wanted.has(uid)) await this.#workloads.remove(uid);
      this.#kernel.acceleration?.sweep();
    });
  }

  /**
   * While it passes, what the workload begins goes on to netfilter, and what a proxy has a socket for goes to that proxy. Its addresses
   * are forgotten last but for the programs: answers to its questions go the way the questions went. From then on proxies send to it through the node,
   * so that the other one has to know before what it is not to follow, and afterwards what has come in between.
   */
  async handOver(uid: WorkloadUid, carryOn: () => Promise<void>): Promise<void> {
    const doing = `handing over workload ${uid}`;
    const step = (work: () => void | Promise<void>) => this.#run(doing, undefined, async () => work());
    await step(() => this.#workloads.leave(uid));
    await sleep(SETTLE_MS);
    const addresses = await this.#run(doing, undefined, async () => {
      this.#wanted.delete(uid);
      return this.#workloads.has(uid) ? this.#workloads.release(uid) : undefined;
    });
    if (addresses === undefined) return;
    await sleep(this.#kernel.config.releaseSeconds * 1000);
    await carryOn();
    await step(() => this.#workloads.forgetAddresses(uid));
    await sleep(SETTLE_MS);
    await carryOn();
    await step(async () => {
      if (!this.#wanted.has(uid)) await this.#workloads.remove(uid, addresses);
      this.#kernel.acceleration?.sweep();
    });
  }

  observe(call?: Call): Promise<Observation> {
    return observe(this.#kernel, this.#slots, this.#wanted, this.#sections("observing", call));
  }

  observeWorkloads(uids: ReadonlySet<WorkloadUid>, call?: Call): Promise<readonly WorkloadObservation[]> {
    return observeWorkloads(this.#kernel, this.#wanted, uids, this.#sections("observing workloads", call));
  }

  explain(flow: Flow, call?: Call): Promise<Explanation> {
    return this.#run("explaining", call, async () => explain(this.#kernel, this.#slots, flow));
  }

  async uninstall(): Promise<void> {
    const addresses = await this.#run("uninstalling", undefined, async () => {
      this.#wanted.clear();
      return this.#kernel.pins.workloads().flatMap(({ uid }) => this.#workloads.release(uid));
    });
    await this.#untilReleased(addresses);
    await this.#run("uninstalling", undefined, async () => {
      await this.#workloads.removeAll();
      for (const slot of this.#slots.all()) await this.#slots.retire(slot);
      this.#kernel.acceleration?.remove();
      uninstall(this.#kernel);
      this.#close();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mutex.run(async () => this.#close());
  }

  /** Opens the proxies' namespaces each time: only a workload that another redirection has asks for it. */
  #translated(): Translated {
    using opened = new DisposableStack();
    const proxies = this.#slots.openAll().map((netns) => opened.use(netns));
    return translatedConnections(proxies, [4, 6]);
  }

  async #untilReleased(addresses: readonly string[]): Promise<void> {
    if (addresses.length === 0) return;
    const { config, log } = this.#kernel;
    using opened = new DisposableStack();
    const proxies = this.#slots.openAll().map((netns) => opened.use(netns));
    await untilReleased(addresses, proxies, config.releaseSeconds, log);
  }

  /** Our directories hold nothing of others: where something else stands, ours cannot be made. */
  #clearAway(path: string): void {
    this.#kernel.log.warn({ path }, "cleared away what is nothing of ours");
    removePins(path);
  }

  #close(): void {
    this.#adoptions[Symbol.dispose]();
    if (!this.#isClosed) {
      this.#kernel.acceleration?.[Symbol.dispose]();
      this.#kernel.object[Symbol.dispose]();
    }
    this.#isClosed = true;
  }

  #run<T>(doing: string, call: Call | undefined, work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(() => this.#attempt(doing, call, work));
  }

  #sections(doing: string, call: Call | undefined): Sections {
    return {
      alone: (read) => this.#run(doing, call, async () => read()),
      beside: (uids, read) => this.#runMember(doing, uids, call, async () => read()),
    };
  }

  /** Beside others of its kind that concern other workloads. */
  #runMember<T>(
    doing: string,
    uids: Iterable<WorkloadUid>,
    call: Call | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    return this.#runShared(doing, call, () => holdingAll(this.#members, uids, work));
  }

  #runShared<T>(doing: string, call: Call | undefined, work: () => Promise<T>): Promise<T> {
    return this.#mutex.runShared(() => this.#attempt(doing, call, work));
  }

  /** What had to wait until its deadline is not begun any more: it is asked for again. What is begun is done. */
  async #attempt<T>(doing: string, call: Call | undefined, work: () => Promise<T>): Promise<T> {
    call?.signal.throwIfAborted();
    if (this.#isClosed) throw new EbpfError("ERR_CLOSED", `${doing}: the redirection was closed before; open it again`);
    try {
      return await work();
    } catch (error) {
      throw explainFailure(doing, error);
    }
  }
}
