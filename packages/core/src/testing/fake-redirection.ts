import type {
  NodeFacts,
  Observation,
  Proxies,
  Redirection,
  Workload,
  WorkloadObservation,
} from "../backend/contract.ts";

/** A redirection whose kernel is a few maps: for tests of what drives a backend. Real backends are tested elsewhere, against a kernel. */
export class FakeRedirection implements Redirection {
  readonly workloads = new Map<string, Workload>();
  proxies: Proxies = { draining: [] };
  node: NodeFacts = { addresses: [] };
  /** Verbs in the order in which they were called: `apply uid-1`. */
  readonly calls: string[] = [];
  /** What the next calls of a verb do before they take effect: throw, or wait. */
  readonly before = new Map<string, () => Promise<void> | void>();
  /** What is observed to be wrong with what all workloads share; the next `useProxies` mends it. */
  shared: string[] = [];
  /** Added to what is observed of a workload. */
  readonly problems = new Map<string, string[]>();

  async #call(verb: string, argument: string): Promise<void> {
    this.calls.push(`${verb} ${argument}`.trim());
    await this.before.get(verb)?.();
  }

  async useProxies(proxies: Proxies): Promise<void> {
    await this.#call("useProxies", proxies.active?.name ?? "none");
    this.proxies = proxies;
    this.shared = [];
  }

  async useNode(node: NodeFacts): Promise<void> {
    await this.#call("useNode", node.addresses.join(","));
    this.node = node;
  }

  async apply(workload: Workload): Promise<void> {
    await this.#call("apply", workload.uid);
    this.workloads.set(workload.uid, workload);
  }

  async remove(uid: string): Promise<void> {
    await this.#call("remove", uid);
    this.workloads.delete(uid);
  }

  async observe(): Promise<Observation> {
    await this.before.get("observe")?.();
    const { active, draining } = this.proxies;
    return {
      workloads: [...this.workloads.values()].map(({ uid, addresses, interface: { hostIndex } }) => {
        const problems = this.problems.get(uid) ?? [];
        return {
          uid,
          addresses,
          hostIndex,
          problems,
          foreign: [],
          state: problems.length === 0 ? "complete" : "partial",
        };
      }),
      proxies: [
        ...(active === undefined ? [] : [{ key: active.key, role: "active" as const }]),
        ...draining.map(({ key }) => ({ key, role: "draining" as const })),
      ].map((proxy) => ({ ...proxy, state: "complete", problems: [], foreign: [] })),
      problems: this.shared,
      nodeAddresses: this.node.addresses,
      counters: {},
    };
  }

  async observeWorkloads(uids: ReadonlySet<string>): Promise<readonly WorkloadObservation[]> {
    await this.#call("observeWorkloads", [...uids].join(","));
    return (await this.observe()).workloads.filter(({ uid }) => uids.has(uid));
  }

  async uninstall(): Promise<void> {
    this.workloads.clear();
    this.proxies = { draining: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
