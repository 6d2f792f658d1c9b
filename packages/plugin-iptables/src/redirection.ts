import { setTimeout as sleep } from "node:timers/promises";
import type {
  Call,
  Explanation,
  Flow,
  NodeFacts,
  Observation,
  Proxies,
  Redirection,
  Workload,
  WorkloadUid,
} from "@millrace/core";
import { Mutex, translatedConnections, untilReleased } from "@millrace/host";
import { type ApplyTurn, ApplyTurns } from "./apply-turns.ts";
import { explainFailure, IptablesError } from "./errors.ts";
import { explain } from "./explain.ts";
import { readEntries } from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import { observe } from "./observe.ts";
import { forgetKept, keepOpen } from "./open-connections.ts";
import { clearAway, noteActive, sendingNow, useProxies } from "./proxies.ts";
import { ProxySlots } from "./proxy-slots.ts";
import { ensureNodeRules, removeShared } from "./shared.ts";
import { Workloads } from "./workloads.ts";

/** The open iptables redirection. Its verbs run one at a time; closing it leaves everything in the kernel as it is. */
export class IptablesRedirection implements Redirection {
  readonly #context: NodeContext;
  readonly #workloads: Workloads;
  readonly #slots: ProxySlots;
  readonly #mutex = new Mutex();
  readonly #turns = new ApplyTurns();
  /** What was asked for since this process started, to compare with what the kernel holds. */
  readonly #wanted = new Map<WorkloadUid, Workload>();
  #nodeAddresses: readonly string[] = [];
  #isClosed = false;

  private constructor(context: NodeContext) {
    this.#context = context;
    this.#workloads = new Workloads(context, (networks) =>
      ensureNodeRules(context, sendingNow(context, this.#slots), networks),
    );
    this.#slots = new ProxySlots(context);
  }

  /** Adopts what an earlier run left: completes the node's side as it is, and clears away what a crash left half made. */
  static async adopt(context: NodeContext): Promise<IptablesRedirection> {
    const redirection = new IptablesRedirection(context);
    const slots = redirection.#slots;
    context.journal.sweep();
    context.notes.sweep();
    await redirection.#workloads.sweep();
    if (context.notes.isStandby()) return redirection;
    await noteActive(context, slots);
    await clearAway(context, slots, slots.gone());
    return redirection;
  }

  useProxies(proxies: Proxies, call?: Call): Promise<void> {
    return this.#run("choosing the proxies", call, () => useProxies(this.#context, this.#slots, proxies));
  }

  useNode({ addresses }: NodeFacts, call?: Call): Promise<void> {
    return this.#run("noting the node's addresses", call, async () => {
      this.#nodeAddresses = addresses;
    });
  }

  apply(workload: Workload, call?: Call): Promise<void> {
    const turn = this.#turns.add(workload);
    this.#mutex
      .run(() => {
        call?.signal.throwIfAborted();
        return this.#applyWaiting();
      })
      // Its turn has not come, because the redirection was closed before, or its deadline has passed.
      .catch((error: unknown) => {
        this.#turns.drop(turn);
        turn.done.reject(error);
      });
    return turn.done.promise;
  }

  remove(uid: WorkloadUid, call?: Call): Promise<void> {
    return this.#run(`ending the redirection of workload ${uid}`, call, async () => {
      this.#wanted.delete(uid);
      await this.#workloads.remove([uid]);
    });
  }

  /**
   * What the other one takes it takes ahead of every rule of ours, and what it has not taken yet is redirected here until the end: so there is no
   * order to keep. Questions to nameservers are answered by the way they went.
   */
  async handOver(uid: WorkloadUid, carryOn: () => Promise<void>): Promise<void> {
    const entries = await this.#run(`handing over workload ${uid}`, undefined, () => readEntries(this.#context));
    if (entries.of(uid).length === 0) return;
    await carryOn();
    await sleep(this.#context.config.releaseSeconds * 1000, undefined, { signal: this.#context.signal });
    await this.remove(uid);
  }

  async carryOn(uid: WorkloadUid): Promise<void> {
    await this.#run(`carrying on with workload ${uid}`, undefined, async () => {
      const workload = this.#wanted.get(uid);
      if (workload === undefined) return;
      await forgetKept(this.#context, this.#slots.all());
      const kept = await keepOpen(this.#context, this.#slots.all(), workload);
      this.#context.log.info({ uid, connections: kept }, "open connections of another backend are carried on");
    });
  }

  async withdraw({ active, draining }: Proxies): Promise<"gone" | "standby"> {
    return this.#run("withdrawing", undefined, async () => {
      const { journal, notes } = this.#context;
      this.#wanted.clear();
      await this.#workloads.remove((await readEntries(this.#context)).uids());
      const present = new Set([active, ...draining].flatMap((proxy) => proxy?.interface.netnsInode ?? []));
      const all = this.#slots.all();
      const gone = this.#slots.gone();
      const staying = new Map([...all].filter(([slot, its]) => present.has(its.netnsInode) && !gone.has(slot)));
      using opened = new DisposableStack();
      const proxies = this.#slots.openAll().map((netns) => opened.use(netns));
      // Their packets are translated between a rule of ours and the next: all of it stays, for nobody's members, as long as they do.
      if (translatedConnections(proxies, this.#context.families).taken.length > 0) return "standby";
      if (staying.size > 0) notes.setStandby();
      await removeShared(this.#context, staying);
      for (const [index, identity] of all) {
        if (staying.has(index)) await this.#slots.empty(index, identity);
        else await this.#slots.retire(index, identity);
      }
      if (staying.size > 0) return "standby";
      notes.close();
      journal.close();
      this.#isClosed = true;
      return "gone";
    });
  }

  observe(call?: Call): Promise<Observation> {
    return this.#run("observing", call, () =>
      observe(this.#context, this.#slots, { workloads: this.#wanted, nodeAddresses: this.#nodeAddresses }),
    );
  }

  explain(flow: Flow, call?: Call): Promise<Explanation> {
    return this.#run("explaining", call, () => explain(this.#context, this.#slots, flow));
  }

  async uninstall(): Promise<void> {
    const addresses = await this.#run("uninstalling", undefined, async () => {
      this.#wanted.clear();
      const entries = await readEntries(this.#context);
      await this.#workloads.remove(entries.uids());
      return [...entries.addresses().keys()];
    });
    await this.#untilReleased(addresses);
    await this.#run("uninstalling", undefined, async () => {
      const { journal, notes } = this.#context;
      await removeShared(this.#context);
      for (const [index, identity] of this.#slots.all()) await this.#slots.retire(index, identity);
      notes.close();
      journal.close();
      this.#isClosed = true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mutex.run(async () => {
      this.#isClosed = true;
    });
  }

  async #untilReleased(addresses: readonly string[]): Promise<void> {
    if (addresses.length === 0) return;
    const { config, log } = this.#context;
    using opened = new DisposableStack();
    const proxies = this.#slots.openAll().map((netns) => opened.use(netns));
    await untilReleased(addresses, proxies, config.releaseSeconds, log);
  }

  /** Applies all that wait. One that is refused with others is tried once more by itself, so that nobody fails for somebody else. */
  async #applyWaiting(): Promise<void> {
    this.#requireOpen("redirecting a workload");
    await this.#clearMisnamed();
    const turns = this.#turns.take();
    for (const { workload } of turns) this.#wanted.set(workload.uid, workload);
    if (await this.#tryTogether(turns)) return;
    for (const turn of turns) {
      const { namespace, name } = turn.workload;
      const fail = (error: unknown) => turn.done.reject(explainFailure(`redirecting ${namespace}/${name}`, error));
      const applying = this.#workloads.apply([turn.workload]);
      await applying.then(([error]) => (error === undefined ? turn.done.resolve() : fail(error)), fail);
    }
  }

  /** Says whether every one has been answered. */
  async #tryTogether(turns: readonly ApplyTurn[]): Promise<boolean> {
    if (turns.length < 2) return turns.length === 0;
    try {
      const workloads = turns.map(({ workload }) => workload);
      const errors = await this.#workloads.apply(workloads);
      for (const [index, { workload, done }] of turns.entries()) {
        const { namespace, name } = workload;
        if (errors[index] === undefined) done.resolve();
        else done.reject(explainFailure(`redirecting ${namespace}/${name}`, errors[index]));
      }
      return true;
    } catch (error) {
      this.#context.log.debug({ error, workloads: turns.length }, "applying one by one what was refused together");
      return false;
    }
  }

  /** Before a pod is redirected: the name of its interface may have been a proxy's. */
  async #clearMisnamed(): Promise<void> {
    const misnamed = this.#slots.misnamed();
    if (misnamed.size === 0) return;
    try {
      await clearAway(this.#context, this.#slots, misnamed);
    } catch (error) {
      throw explainFailure("clearing away a proxy whose interface's name is another pod's now", error);
    }
  }

  #requireOpen(doing: string): void {
    if (!this.#isClosed) return;
    throw new IptablesError("ERR_CLOSED", `${doing}: the redirection was closed before; open it again`);
  }

  /** What had to wait until its deadline is not begun any more: it is asked for again. What is begun is done. */
  #run<T>(doing: string, call: Call | undefined, work: () => Promise<T>): Promise<T> {
    this.#turns.close();
    return this.#mutex.run(async () => {
      call?.signal.throwIfAborted();
      this.#requireOpen(doing);
      try {
        return await work();
      } catch (error) {
        throw explainFailure(doing, error);
      }
    });
  }
}
