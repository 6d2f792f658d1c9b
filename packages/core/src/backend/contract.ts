/**
 * The contract every redirection backend keeps. A backend is the only part of Millrace that touches the kernel.
 *
 * All verbs are idempotent and level-triggered: they are given the whole wanted state of their subject and may be called again
 * at any time, also after a crash half way. What they did or found comes back as their result; they never call into the core.
 *
 * A backend that does not come with Millrace runs in a process of its own, which is ended and started again when it hangs. What crosses the border is copied
 * (structured clone) and checked: a result of another shape than given here is a failure of the call.
 */

import type { Explanation, Flow } from "./explanation.ts";
import type { RedirectionPlan, Shadow, WantedRedirection } from "./shadow.ts";
import type { NamespacePlace, Trace } from "./traces.ts";

/** Kubernetes pod UID (`metadata.uid`), the identity of a workload. */
export type WorkloadUid = string;

/** Both ends of the veth pair that connects a pod to its node, and the network namespace that the inner end lives in. */
export interface PodInterface {
  /** Absolute path of a file that refers to the pod's network namespace, for instance `/run/netns/cni-…` or `/proc/123/ns/net`. */
  readonly netns: string;
  /** Inode number of that namespace; tells a re-created namespace from the old one under the same path. */
  readonly netnsInode: number;
  /** Name of the inner end, in the pod's namespace: usually `eth0`. */
  readonly name: string;
  /** Ethernet address of the inner end, six lower-case hex pairs with colons. */
  readonly mac: string;
  /** Name of the outer end, in the node's namespace. */
  readonly hostName: string;
  /** Interface index of the outer end, in the node's namespace. */
  readonly hostIndex: number;
}

/** A member of the mesh whose traffic is to be redirected. */
export interface Workload {
  readonly uid: WorkloadUid;
  readonly namespace: string;
  readonly name: string;
  /** Every address of the pod, both families, canonical text form, sorted. An address that another workload owns is left out. */
  readonly addresses: readonly string[];
  readonly interface: PodInterface;
  /** What happens to connections that are older than the enrolment: see {@link EnrolExisting}. */
  readonly enrolExisting: EnrolExisting;
  /** What it asks of a nameserver, UDP and TCP to port 53, goes to the proxy too: to its port 15053, the server's address in the answer. */
  readonly dnsCapture: boolean;
  readonly exclusions: Exclusions;
  /**
   * It may be accelerated: what it and the proxy send each other need not go by TCP. A backend that has no acceleration, or has it
   * switched off, does without.
   */
  readonly acceleration?: true;
}

/**
 * Connections of a workload that are not captured, and whose answers are not either. Which they are is decided by their first packet.
 * Every list is sorted, canonical and without duplicates.
 */
export interface Exclusions {
  /** TCP to these ports of anybody, 1 to 65535. */
  readonly outboundPorts: readonly number[];
  /** TCP to these networks, both families, as `198.18.0.0/15`. */
  readonly outboundCidrs: readonly string[];
  /** TCP from anybody to these ports of the workload. */
  readonly inboundPorts: readonly number[];
  /** TCP from these networks to the workload. */
  readonly inboundCidrs: readonly string[];
}

/**
 * `drain`: connections that existed before the enrolment go on as they were for a bounded time, new ones are captured.
 * `reset`: they are reset at once. In neither case do they hang in silence.
 */
export type EnrolExisting = "drain" | "reset";

/** A node proxy: the pod that members' TCP is sent to. Identity is {@link NodeProxy.key}, never the uid alone. */
export interface NodeProxy {
  readonly uid: WorkloadUid;
  /** Identity of this incarnation: changes when the uid, an address or the network namespace changes. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** The proxy's own addresses, both families, canonical and sorted. TCP to these is never steered. */
  readonly addresses: readonly string[];
  readonly interface: PodInterface;
}

/** The proxies of the node. New connections go to `active`; connections that a draining proxy owns stay with it until they end. */
export interface Proxies {
  readonly active?: NodeProxy;
  readonly draining: readonly NodeProxy[];
}

/** A proxy that the kernel sends to, as a backend's own notes tell of it, whoever asked for it. */
export interface UsedProxy extends Pick<NodeProxy, "key" | "name" | "interface"> {
  readonly role: "active" | "draining";
}

/** Facts about the node's own network namespace that steer probes past the proxy. */
export interface NodeFacts {
  /** Every address that is local to the node, both families, canonical and sorted: probes come from these. */
  readonly addresses: readonly string[];
}

/** One thing a host can or cannot do, found by trying it. */
export interface Feature {
  /** Stable short name, for instance `bpf.sk_lookup`. */
  readonly name: string;
  /** What it is for, in a few words. */
  readonly description: string;
  readonly available: boolean;
  /** The backend cannot keep the contract without it. */
  readonly required: boolean;
  /** What trying it said, and what to do about it. */
  readonly detail: string;
}

/** What a backend found out about this host. Probing changes nothing. */
export interface Probe {
  readonly features: readonly Feature[];
  /** True when every required feature is there: the backend can keep all of the contract here. */
  readonly capable: boolean;
  /** One line for people: why it can, or what is missing. */
  readonly summary: string;
}

/** An object of somebody else that stands where ours are, or that our contract depends on. */
export interface ForeignObject {
  /** For instance `tcx program`, `clsact filter`, `ip rule`. */
  readonly kind: string;
  /** Where it is: interface and direction, table and priority. */
  readonly where: string;
  /** Who it belongs to, as far as the kernel tells: program name, pin path, protocol. */
  readonly owner: string;
  /** What that means for us, for instance `runs before app_outbound and could end the chain`. */
  readonly effect: string;
}

/** `complete`: every object of ours is there and first in line. `partial`: something is missing or a foreign object shadows us. */
export type ObservedState = "complete" | "partial";

export interface WorkloadObservation {
  readonly uid: WorkloadUid;
  readonly state: ObservedState;
  /** What is missing or different, one short phrase per object, sorted; empty when complete. */
  readonly problems: readonly string[];
  readonly foreign: readonly ForeignObject[];
  /** The addresses the kernel redirects for this workload, sorted. */
  readonly addresses: readonly string[];
  readonly hostIndex: number;
}

export interface ProxyObservation {
  readonly key: string;
  readonly role: "active" | "draining";
  readonly state: ObservedState;
  readonly problems: readonly string[];
  /** What shadows ours at the proxy. It is told apart from problems, because making it anew would not mend it. */
  readonly foreign: readonly ForeignObject[];
}

/** A table of the kernel that has room for so many entries: one that is full refuses the next. */
export interface MapFill {
  readonly entries: number;
  readonly max: number;
}

/** Everything of ours that the kernel holds now. */
export interface Observation {
  readonly workloads: readonly WorkloadObservation[];
  readonly proxies: readonly ProxyObservation[];
  /** Problems that belong to no single workload or proxy (shared maps, settings, sysctls), sorted. */
  readonly problems: readonly string[];
  readonly nodeAddresses: readonly string[];
  /** Monotonic counters, by name `program.verdict`, since the redirection was installed. Telemetry: never part of a decision. */
  readonly counters: Readonly<Record<string, number>>;
  /** How full what members are written into is, by a name that never holds what is in it. Telemetry likewise; absent where nothing can fill up. */
  readonly maps?: Readonly<Record<string, MapFill>>;
}

/** A plugin's own view of the host: where things are, so that tests can put them elsewhere. */
export interface Host {
  /** Mount point of the BPF file system, default `/sys/fs/bpf`. */
  readonly bpffs: string;
  /**
   * Directory for what was changed on the host and what stood there before, a promise to every backend: the same path in every run on this node, on a disk that
   * outlives reboots, and one agent at a time writes there. It need not exist yet. `sysctl/` is shared by all backends and written by `SysctlJournal` only;
   * what a backend notes besides goes into a directory of its own name. Millrace removes neither: an uninstall leaves nothing there that a backend has put back.
   */
  readonly journal: string;
}

/** A named logger: a constant message plus fields. */
export interface PluginLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What the host of a plugin hands to it. */
export interface PluginContext<Config> {
  /** The plugin's own configuration, already parsed by its schema. */
  readonly config: Config;
  /** Node-wide choices every backend has to follow. */
  readonly policy: NodePolicy;
  readonly log: PluginLogger;
  readonly host: Host;
  /** Aborted when the agent stops: give up waiting, leave the data path as it is. */
  readonly signal: AbortSignal;
}

export interface NodePolicy {
  /** `closed`: without a proxy, members' new TCP is dropped. `open`: it passes, which is logged as a choice. */
  readonly failurePolicy: "closed" | "open";
  /**
   * How what a proxy sends reaches a member of the same node. `direct`: straight into its namespace. `routed`: through the node's stack,
   * with the true source and destination, so that the node's NetworkPolicy engine sees it.
   */
  readonly localDelivery: "direct" | "routed";
}

/** What comes with every call: Millrace always gives it, so a backend may declare it as required. */
export interface Call {
  /**
   * Aborted when the deadline has passed; the reason is an error with the code `ERR_DEADLINE`. Give up then and reject: the call is made again later, with what
   * is wanted by then. A backend that goes on all the same for seconds is ended where it has a process of its own.
   */
  readonly signal: AbortSignal;
  /** How long after its begin that is, in milliseconds. */
  readonly deadlineMs: number;
}

/** Whatever is installed on the node by one backend. Two of them may be open at once. */
export interface Redirection extends AsyncDisposable {
  /** Makes these the node's proxies. Resolves once new connections go to `active`; without one, members' TCP fails closed. */
  useProxies(proxies: Proxies, call?: Call): Promise<void>;
  /**
   * The proxies that this redirection sends to by now, read from the kernel and the backend's notes, and changes nothing. Asked for when it has just been opened:
   * an agent that has lost its log, or the end of it, does not know what the one before let drain. Absent where a backend cannot tell.
   */
  usedProxies?(call?: Call): Promise<readonly UsedProxy[]>;
  /** Tells the addresses of the node; probes from them bypass the proxy. */
  useNode(node: NodeFacts, call?: Call): Promise<void>;
  /** Makes this workload's redirection be as given. Resolves once its first packet would be captured. */
  apply(workload: Workload, call?: Call): Promise<void>;
  /** Ends the redirection of this workload. Removing what is gone is success. */
  remove(uid: WorkloadUid, call?: Call): Promise<void>;
  /** Reads back from the kernel, never from memory. */
  observe(call?: Call): Promise<Observation>;
  /**
   * The same of these workloads alone, for what it costs to read them and not all; those of which the kernel holds nothing are left out,
   * unless they are wanted. Asked for after each change. A backend that can only read everything at once has none: it is observed as a whole.
   */
  observeWorkloads?(uids: ReadonlySet<WorkloadUid>, call?: Call): Promise<readonly WorkloadObservation[]>;
  /**
   * Which program, map entry, rule and route decide what happens to a flow of a workload that was applied, read from the kernel and in the
   * order in which a packet meets them. Changes nothing. Absent where a backend cannot tell.
   */
  explain?(flow: Flow, call?: Call): Promise<Explanation>;
  /**
   * Gives a workload to another redirection, which has it as well: the first half of removing, and the second. Lets by what the workload begins and what
   * is begun with it, which the other one takes, calls `carryOn`, once or more often, when only that one gets new connections, and lets go then. What is
   * open must not notice. A workload that is not here is given away already. Absent: `carryOn`, then {@link remove}.
   */
  handOver?(uid: WorkloadUid, carryOn: () => Promise<void>, call?: Call): Promise<void>;
  /** Takes on what another redirection has open of a workload that is redirected here too. Absent: nothing has to be known of it. */
  carryOn?(uid: WorkloadUid, call?: Call): Promise<void>;
  /**
   * As {@link uninstall}, when another redirection has taken everything over, but for what connections of these proxies that began here need as
   * long as they last. `standby`: there is such a thing; to be called again when the proxies change. `gone`: closed. Absent: {@link uninstall}.
   */
  withdraw?(proxies: Proxies, call?: Call): Promise<"gone" | "standby">;
  /** Removes everything of ours and puts back what was changed. Disposing without it leaves the data path running. */
  uninstall(call?: Call): Promise<void>;
}

export interface RedirectionBackend {
  /** Finds out what this host can do, feature by feature, by trying; changes nothing. */
  probe(call?: Call): Promise<Probe>;
  /** Opens the redirection and adopts what an earlier run left in the kernel, without losing a packet. */
  open(call?: Call): Promise<Redirection>;
  /**
   * What it would write here for all of this, and what it would refuse, by the code that writes it. Changes nothing. Absent where a backend
   * cannot tell. Rejects where it cannot be known, for instance because a program is missing.
   */
  plan?(wanted: WantedRedirection, call?: Call): Promise<RedirectionPlan>;
  /** Begins to count beside whatever redirects, from nought. Absent where a backend cannot count without redirecting. */
  openShadow?(call?: Call): Promise<Shadow>;
  /** Takes away what shadows of this backend have left, and says what that was, one phrase each. Opens nothing; nothing there is success. */
  removeShadow?(call?: Call): Promise<readonly string[]>;
  /**
   * Everything in these namespaces and in the BPF file system that carries the backend's marks, whoever knows of it: found without the
   * journal, without opening anything, and without changing anything. It proves an uninstall; where a backend has no such verb, or resolves to nothing, nothing is known.
   * What the configuration names (tables, links) is looked for by the present one.
   */
  traces?(namespaces: readonly NamespacePlace[], call?: Call): Promise<readonly Trace[] | undefined>;
}
