import type {
  NodeFacts,
  Observation,
  Proxies,
  Redirection,
  Workload,
  WorkloadObservation,
  WorkloadUid,
} from "@millrace/core";
import { errorCode, errorMessage, listProblem, type Placement, proxyProblems } from "@millrace/core/internal";
import type { Logger } from "../logging/logger.ts";
import type { UsedBackends } from "./used-backends.ts";

/** What an intent adds to a spec while a switch is under way. */
interface Placed {
  readonly placement?: Placement;
}

/** What was last asked for of a workload, and where. */
interface PlacedWorkload extends Pick<Workload, "addresses" | "interface"> {
  readonly placement: Placement;
}

/** What a backend was found to have, or why that could not be read. */
type Readings = ReadonlyMap<string, Observation | { readonly unread: string }>;

export interface SwitchingOptions {
  /** Name of the backend that serves, and its redirection. */
  readonly serving: string;
  readonly redirection: Redirection;
  /** Opens another one. Rejects where it cannot serve here. */
  open(backend: string): Promise<Redirection>;
  readonly used: Pick<UsedBackends, "names" | "noted" | "forget">;
  readonly log: Logger;
}

/**
 * The redirection of a node that may be on its way from one backend to another. It does what a placement says and remembers nothing that decides: what
 * it is asked for again it does again.
 */
export class SwitchingRedirection implements Redirection {
  readonly #options: SwitchingOptions;
  #serving: string;
  readonly #open = new Map<string, Redirection>();
  /** Withdrawn, but for what connections that began there need. */
  readonly #standby = new Map<string, Redirection>();
  readonly #workloads = new Map<WorkloadUid, PlacedWorkload>();
  #node: NodeFacts | undefined;
  #proxies: Proxies & Placed = { draining: [] };
  /** Opening takes its time, and is asked for by many at once. */
  readonly #opening = new Map<string, Promise<Redirection>>();

  constructor(options: SwitchingOptions) {
    this.#options = options;
    this.#serving = options.serving;
    this.#open.set(options.serving, options.redirection);
  }

  /** Name of the backend that new members get. */
  get serving(): string {
    return this.#serving;
  }

  /** Names of those that are only there for what is open. */
  get standby(): readonly string[] {
    return [...this.#standby.keys()];
  }

  /** That backend's own; undefined where it is not open. */
  by(backend: string): Redirection | undefined {
    return this.#open.get(backend);
  }

  async useProxies(wanted: Proxies & Placed): Promise<void> {
    this.#proxies = wanted;
    const { placement, ...proxies } = wanted;
    const on = await this.#get(placement?.on ?? this.#serving);
    if (placement?.joins !== undefined) {
      const wasOpen = this.#open.has(placement.joins);
      const joining = await this.#get(placement.joins);
      if (this.#node === undefined) throw new Error("the addresses of the node are not known yet");
      // Asked for again: somebody may have taken away what it was told when it was opened.
      if (wasOpen) await joining.useNode(this.#node);
      await joining.useProxies(proxies);
    }
    await on.useProxies(proxies);
    if (placement !== undefined) this.#serving = placement.on;
    if (placement?.leaves !== undefined) await this.#withdraw(placement.leaves, proxies);
    for (const name of this.standby) if (name !== placement?.leaves) await this.#withdraw(name, proxies);
  }

  async useNode(node: NodeFacts): Promise<void> {
    this.#node = node;
    for (const redirection of this.#open.values()) await redirection.useNode(node);
  }

  async apply({ placement, ...workload }: Workload & Placed): Promise<void> {
    const { on = this.#serving, joins, leaves } = placement ?? {};
    const { uid, addresses, interface: pod } = workload;
    this.#workloads.set(uid, { addresses, interface: pod, placement: placement ?? { on } });
    const serving = await this.#get(on);
    await serving.apply(workload);
    // What is open is a proxy's: to the one that joins it is older than the enrolment, and `drain` would let it by.
    if (joins !== undefined) await (await this.#get(joins)).apply({ ...workload, enrolExisting: "reset" });
    const leaving = leaves === undefined ? undefined : await this.#find(leaves);
    if (leaving !== undefined) await handOver(leaving, serving, workload.uid);
  }

  async remove(uid: WorkloadUid): Promise<void> {
    for (const redirection of this.#open.values()) await redirection.remove(uid);
    this.#workloads.delete(uid);
  }

  /** Of one whose own cannot be read, the others are told all the same. Rejects when that is the one that serves. */
  async observe(): Promise<Observation> {
    const all = new Map<string, Observation | { readonly unread: string }>();
    for (const [name, redirection] of this.#open) all.set(name, await this.#read(name, redirection));
    const { [this.#serving]: own, ...others } = Object.fromEntries(all);
    if (own === undefined || "unread" in own) throw new Error(`the redirection by ${this.#serving} is not open`);
    if (Object.keys(others).length === 0) return own;
    const readable = [...all.values()].flatMap((reading) => ("unread" in reading ? [] : [reading]));
    const unread = new Set([...all].flatMap(([name, reading]) => ("unread" in reading ? [name] : [])));
    const unseen = [...this.#workloads].filter(([, { placement }]) => isAmong(unread, placement)).map(([uid]) => uid);
    const uids = new Set([...unseen, ...readable.flatMap(({ workloads }) => workloads.map(({ uid }) => uid))]);
    return {
      workloads: [...uids].sort().map((uid) => this.#observed(uid, all)),
      proxies: own.proxies,
      problems: [...own.problems, ...Object.entries(others).flatMap(([name, other]) => this.#problemsOf(name, other))],
      nodeAddresses: own.nodeAddresses,
      counters: Object.assign({}, ...readable.map(({ counters }) => counters)),
      maps: Object.assign({}, ...readable.map(({ maps }) => maps)),
    };
  }

  /** While two have workloads, all of both tell what is where. */
  async observeWorkloads(uids: ReadonlySet<WorkloadUid>): Promise<readonly WorkloadObservation[]> {
    const [only, second] = this.#open.values();
    if (second === undefined && only?.observeWorkloads !== undefined) return only.observeWorkloads(uids);
    return (await this.observe()).workloads.filter(({ uid }) => uids.has(uid));
  }

  async uninstall(): Promise<void> {
    for (const redirection of [...this.#standby.values(), ...this.#open.values()]) await redirection.uninstall();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const redirection of [...this.#standby.values(), ...this.#open.values()]) {
      await redirection[Symbol.asyncDispose]();
    }
    this.#standby.clear();
    this.#open.clear();
  }

  async #read(name: string, redirection: Redirection): Promise<Observation | { readonly unread: string }> {
    try {
      return await redirection.observe();
    } catch (error) {
      if (name === this.#serving) throw error;
      this.#options.log.error({ err: error, backend: name }, "what a backend has cannot be read");
      return { unread: `cannot be read: ${errorCode(error)}: ${errorMessage(error)}` };
    }
  }

  /** What members of another one than the one that serves share. While it has the proxies too, it is to have them as asked for. */
  #problemsOf(name: string, reading: Observation | { readonly unread: string }): string[] {
    if ("unread" in reading) return [`${name} ${reading.unread}`];
    const { problems, proxies, nodeAddresses } = reading;
    const joins = this.#proxies.placement?.joins === name;
    return [
      ...problems,
      ...(joins ? proxyProblems(this.#proxies, proxies) : []),
      ...(joins ? listProblem("node addresses", this.#node?.addresses ?? [], nodeAddresses) : []),
    ].map((problem) => `${name}: ${problem}`);
  }

  /** As the backend that is to have it sees it, and what is not as the placement says. */
  #observed(uid: WorkloadUid, all: Readings): WorkloadObservation {
    const wanted = this.#workloads.get(uid);
    const { on, joins } = wanted?.placement ?? { on: this.#serving };
    const found = [...all].flatMap(([name, reading]) =>
      ("unread" in reading ? [] : reading.workloads)
        .filter((workload) => workload.uid === uid)
        .map((workload) => ({ name, workload })),
    );
    const [first] = [...found].sort((a, b) => Number(b.name === on) - Number(a.name === on));
    const problems = found.flatMap(({ name, workload }) => {
      if (name === on) return workload.problems;
      return name === joins ? workload.problems.map((what) => `${name}: ${what}`) : [`is redirected by ${name} too`];
    });
    for (const name of [on, joins]) {
      if (name === undefined || found.some((entry) => entry.name === name)) continue;
      const reading = all.get(name);
      problems.push(
        reading !== undefined && "unread" in reading
          ? `${name} ${reading.unread}`
          : `redirection by ${name} is missing`,
      );
    }
    const seen = first?.workload ?? nothingOf(uid, wanted);
    return { ...seen, state: problems.length === 0 ? seen.state : "partial", problems };
  }

  async #get(name: string): Promise<Redirection> {
    const open = this.#open.get(name);
    if (open !== undefined) return open;
    const opening = this.#opening.get(name) ?? this.#begin(name);
    this.#opening.set(name, opening);
    return opening;
  }

  async #begin(name: string): Promise<Redirection> {
    const { used, open } = this.#options;
    try {
      const standby = this.#standby.get(name);
      const redirection = standby ?? (await used.noted(name, () => open(name)));
      if (this.#node !== undefined) await redirection.useNode(this.#node);
      this.#standby.delete(name);
      this.#open.set(name, redirection);
      return redirection;
    } finally {
      this.#opening.delete(name);
    }
  }

  /** Undefined where there is nothing of that backend. An agent before this one may have left something. */
  async #find(name: string): Promise<Redirection | undefined> {
    return this.#options.used.names().includes(name) ? this.#get(name) : undefined;
  }

  async #withdraw(name: string, proxies: Proxies): Promise<void> {
    const redirection = this.#standby.get(name) ?? (await this.#find(name));
    if (redirection === undefined) return;
    const { used, log } = this.#options;
    const left =
      redirection.withdraw === undefined ? await uninstalled(redirection) : await redirection.withdraw(proxies);
    this.#open.delete(name);
    this.#standby.delete(name);
    if (left === "standby") {
      this.#standby.set(name, redirection);
      log.info({ backend: name }, "redirection withdrawn but for what connections that began by it need");
      return;
    }
    used.forget(name);
    await redirection[Symbol.asyncDispose]();
    log.info({ backend: name }, "redirection withdrawn");
  }
}

const isAmong = (backends: ReadonlySet<string>, { on, joins }: Placement): boolean =>
  backends.has(on) || (joins !== undefined && backends.has(joins));

/** Where it is to be is known, and that it is there is not. */
function nothingOf(uid: WorkloadUid, wanted: PlacedWorkload | undefined): WorkloadObservation {
  const { addresses = [], interface: pod } = wanted ?? {};
  return { uid, state: "partial", problems: [], foreign: [], addresses, hostIndex: pod?.hostIndex ?? 0 };
}

async function handOver(from: Redirection, to: Redirection, uid: WorkloadUid): Promise<void> {
  const carryOn = async () => to.carryOn?.(uid);
  if (from.handOver !== undefined) return from.handOver(uid, carryOn);
  await carryOn();
  await from.remove(uid);
}

async function uninstalled(redirection: Redirection): Promise<"gone"> {
  await redirection.uninstall();
  return "gone";
}
