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
  WorkloadUid,
} from "@millrace/core";
import { type Wish, type WorkloadTurn, WorkloadTurns } from "@millrace/core/internal";
import { Mutex, translatedConnections, untilReleased } from "@millrace/host";
import { explainFailure, IptablesError } from "./errors.ts";
import { explain } from "./explain.ts";
import { readEntries } from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import { observe } from "./observe.ts";
import { forgetKept, keepOpen } from "./open-connections.ts";
import { clearAway, noteActive, sendingNow, usedProxies, useProxies } from "./proxies.ts";
import { ProxySlots } from "./proxy-slots.ts";
import { ensureNodeRules, removeShared } from "./shared.ts";
import { Workloads } from "./workloads.ts";

/** The open iptables redirection. Its verbs run one at a time; closing it leaves everything in the kernel as it is. */
export class IptablesRedirection implements Redirection {
  readonly #context: NodeContext;
  readonly #workloads: Workloads;
  readonly #slots: ProxySlots;
  readonly #mutex = new Mutex();
  readonly #turns = new WorkloadTurns();
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

  usedProxies(call?: Call): Promise<readonly UsedProxy[]> {
    return this.#run("reading the proxies in use", call, async () => usedProxies(this.#context, this.#slots));
  }

  useNode({ addresses }: NodeFacts, call?: Call): Promise<void> {
    return this.#run("noting the node's addresses", call, async () => {
      this.#nodeAddresses = addresses;
    });
  }

  apply(workload: Workload, call?: Call): Promise<void> {
    return this.#wish({ kind: "apply", uid: workload.uid, workload }, call);
  }

  remove(uid: WorkloadUid, call?: Call): Promise<void> {
    return this.#wish({ kind: "remove", uid }, call);
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
      await this.#workloads.change({ removed: (await readEntries(this.#context)).uids() });
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
      await this.#workloads.change({ removed: entries.uids() });
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

  #wish(wish: Wish, call?: Call): Promise<void> {
    const caller = this.#turns.add(wish);
    this.#mutex
      .run(() => {
        call?.signal.throwIfAborted();
        return this.#doWaiting(wish);
      })
      // Its turn has not come, because the redirection was closed before, or its deadline has passed.
      .catch((error: unknown) => {
        this.#turns.drop(caller);
        caller.reject(error);
      });
    return caller.promise;
  }

  /**
   * Does all that wait. What is refused with others is tried once more by itself, so that nobody fails for somebody else: removals
   * first, because who is redirected may want what they have.
   */
  async #doWaiting(first: Wish): Promise<void> {
    this.#requireOpen(doing(first));
    const taken = this.#turns.take();
    for (const { wish } of taken) {
      if (wish.kind === "apply") this.#wanted.set(wish.uid, wish.workload);
      else this.#wanted.delete(wish.uid);
    }
    const applies = taken.filter(({ wish }) => wish.kind === "apply");
    const removals = taken.filter(({ wish }) => wish.kind === "remove");
    const turns = [...removals, ...(await this.#clearMisnamed(applies))];
    if (await this.#tryTogether(turns)) return;
    for (const turn of turns) await this.#change([turn]).catch((error: unknown) => settle(turn, error));
  }

  /** Says whether every one has been answered. */
  async #tryTogether(turns: readonly WorkloadTurn[]): Promise<boolean> {
    if (turns.length < 2) return turns.length === 0;
    try {
      await this.#change(turns);
      return true;
    } catch (error) {
      this.#context.log.debug({ error, workloads: turns.length }, "doing one by one what was refused together");
      return false;
    }
  }

  /** In one step. Answers every one, or rejects and answers none. */
  async #change(turns: readonly WorkloadTurn[]): Promise<void> {
    const removed = turns.flatMap(({ wish }) => (wish.kind === "remove" ? [wish.uid] : []));
    const applied = turns.flatMap(({ wish }) => (wish.kind === "apply" ? [wish.workload] : []));
    const refused = await this.#workloads.change({ removed, applied });
    for (const turn of turns) settle(turn, refused.get(turn.wish.uid));
  }

  /** Before pods are redirected: the name of an interface may have been a proxy's. Those that can go on; the others are answered. */
  async #clearMisnamed(applies: readonly WorkloadTurn[]): Promise<readonly WorkloadTurn[]> {
    if (applies.length === 0) return [];
    const misnamed = this.#slots.misnamed();
    if (misnamed.size === 0) return applies;
    try {
      await clearAway(this.#context, this.#slots, misnamed);
      return applies;
    } catch (error) {
      const why = explainFailure("clearing away a proxy whose interface's name is another pod's now", error);
      for (const turn of applies) settle(turn, why);
      return [];
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

function doing(wish: Wish): string {
  if (wish.kind === "remove") return `ending the redirection of workload ${wish.uid}`;
  return `redirecting ${wish.workload.namespace}/${wish.workload.name}`;
}

/** `error`: undefined when it is done. */
function settle({ wish, callers }: WorkloadTurn, error: unknown): void {
  for (const { resolve, reject } of callers) {
    if (error === undefined) resolve();
    else reject(explainFailure(doing(wish), error));
  }
}
