import type { NodeFacts, Proxies, Workload, WorkloadUid } from "./contract.ts";

/** Everything that a node is to have: what the verbs of a redirection are told one by one. */
export interface WantedRedirection {
  readonly node: NodeFacts;
  readonly proxies: Proxies;
  readonly workloads: readonly Workload[];
}

/** Why something would not be done, by the code that the verb would throw. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

export interface PlannedWorkload {
  readonly uid: WorkloadUid;
  /** What it would have in the kernel, one line for each object, in the words of the tool that shows it. Empty when it would be refused. */
  readonly objects: readonly string[];
  /** Why it would not be redirected at all. */
  readonly refused?: Refusal;
  /** Why it would be redirected in part only. */
  readonly partly?: Refusal;
}

/** What a backend would write here, were it asked for all of this now. */
export interface RedirectionPlan {
  /** What all workloads share, one line for each object. */
  readonly shared: readonly string[];
  /** What would keep it from being opened, and proxies from being used. */
  readonly refused: readonly Refusal[];
  /** In the order in which they were given. */
  readonly workloads: readonly PlannedWorkload[];
}

/**
 * What a shadow saw of a workload and would have done. `connections`: SYNs that ask for one, those that are sent again included. `packets`: as
 * the kernel hands them on, of any kind.
 */
export interface ShadowCount {
  /** `outbound`: the workload sends it. */
  readonly direction: "outbound" | "inbound";
  /** The backend's own word, as in its counters. */
  readonly verdict: string;
  /** `captured`: to the proxy. `dropped`: nowhere. `let by`: on, past the proxy. `delivered`: the active proxy has sent it. */
  readonly fate: "captured" | "dropped" | "let by" | "delivered";
  readonly connections: number;
  readonly packets: number;
}

export interface ShadowedWorkload {
  readonly uid: WorkloadUid;
  readonly counts: readonly ShadowCount[];
  /** Why not everything of it is counted, one short phrase each. */
  readonly problems: readonly string[];
}

/**
 * Programs that count what a backend would do with packets, and let every packet go on as if they were not there. Everything they need is
 * their own: nothing that a redirection has is changed. Disposing leaves them in the kernel.
 */
export interface Shadow extends AsyncDisposable {
  /** Counts for these and for nobody else. May be called again at any time. What cannot be counted is told by {@link counts}. */
  follow(wanted: WantedRedirection): Promise<void>;
  /** Since it was opened. */
  counts(): Promise<readonly ShadowedWorkload[]>;
}
