import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AgentLogs } from "../agent/agent-logs.ts";
import { LabError } from "../errors.ts";
import { runChecked } from "../programs/command.ts";
import { nodeAddresses, podAddresses } from "./addresses.ts";
import { attachInside } from "./attach-inside.ts";
import { type CniCommand, cniRequest } from "./cni.ts";
import { LabHost } from "./lab-host.ts";
import { LabPod, type PodOptions } from "./lab-pod.ts";
import {
  type Manifest,
  ManifestDirectory,
  namespaceManifest,
  nodeManifest,
  type PodManifestOptions,
  podManifest,
} from "./manifests.ts";
import { Namespace } from "./namespace.ts";
import { type PodNetwork, type PodNetworkKind, podNetwork } from "./pod-network.ts";
import { type ServiceMode, ServiceTable } from "./services.ts";

/** Where a node keeps what an agent on it reads and writes. */
export interface NodePaths {
  readonly root: string;
  /** A BPF file system of the node's own. */
  readonly bpffs: string;
  readonly manifests: string;
  readonly journal: string;
  readonly sockets: string;
  readonly eventLog: string;
  readonly ambientConfig: string;
  readonly agentConfig: string;
}

/** Whatever pods of the lab share: their prefix, the clock of creations and sysctls. */
export interface PodDefaults {
  readonly prefix: string;
  readonly rpFilter: 0 | 1 | 2;
  readonly mtu: number;
  readonly services: ServiceMode;
  /** How pods are attached. */
  readonly pods: PodNetworkKind;
  /** A creation time later than any it gave before. */
  nextCreation(): Date;
}

/** A node of the lab: a network namespace that routes for its pods, and a directory that stands for its disk. */
export class LabNode extends LabHost {
  readonly number: number;
  readonly paths: NodePaths;
  readonly manifests: ManifestDirectory;
  /** The node's share of Service addresses and node ports, as kube-proxy would program them. */
  readonly services: ServiceTable;
  /** What the agents that ran here have logged. */
  readonly agentLogs = new AgentLogs();
  readonly #defaults: PodDefaults;
  readonly #network: PodNetwork;
  readonly #pods = new Map<string, LabPod>();
  #nextIndex = 0;

  constructor(number: number, namespace: Namespace, directory: string, defaults: PodDefaults) {
    super(`n${number}`, namespace, nodeAddresses(number));
    this.number = number;
    this.#defaults = defaults;
    this.#network = podNetwork(defaults.pods, number, defaults.mtu);
    this.paths = nodePaths(directory);
    for (const path of [this.paths.bpffs, this.paths.journal, this.paths.sockets]) mkdirSync(path, { recursive: true });
    this.manifests = new ManifestDirectory(this.paths.manifests);
    this.services = new ServiceTable(namespace, defaults.services);
  }

  /** Makes what pods are attached to, where that is one thing for all of them. */
  async prepare(): Promise<void> {
    const lines = this.#network.nodeLines();
    if (lines.length > 0) await this.namespace.ip(...lines);
  }

  /** The interface by which this node's IP layer sends to a pod: the pod's own, or the bridge. */
  deviceOf(pod: LabPod): string {
    return this.#network.device(pod);
  }

  /** All pods that exist on the node now. */
  get pods(): readonly LabPod[] {
    return [...this.#pods.values()];
  }

  /** The pod of that name. Throws ERR_LAB_UNKNOWN_NAME. */
  pod(name: string): LabPod {
    const pod = this.#pods.get(name);
    if (pod === undefined) {
      throw new LabError(
        "ERR_LAB_UNKNOWN_NAME",
        `node ${this.name} has no pod ${name}; it has ${[...this.#pods.keys()].join(", ")}`,
      );
    }
    return pod;
  }

  /** Makes pods: namespaces, veth pairs, addresses and routes. It publishes no manifest. */
  async addPods(...wanted: readonly PodOptions[]): Promise<LabPod[]> {
    const all = wanted.map((options) => ({
      ...options,
      index: options.index ?? this.#nextIndex++,
      createdAt: options.createdAt ?? this.#defaults.nextCreation(),
    }));
    const netns = ({ name }: PodOptions): string => `${this.#defaults.prefix}-${this.name}-${name}`;
    await runChecked("ip", ["-batch", "-"], { input: all.map((options) => `netns add ${netns(options)}\n`).join("") });
    const pods = all.map(
      (options) => new LabPod(options, new Namespace(netns(options)), podAddresses(this.number, options.index)),
    );
    await Promise.all(pods.map((pod) => pod.namespace.setSysctls(podSysctls(this.#defaults.rpFilter))));
    await this.namespace.ip(...pods.flatMap((pod) => this.#network.hostLines(pod)));
    for (const pod of pods) attachInside(pod, this.#network);
    for (const pod of pods) this.#pods.set(pod.name, pod);
    return pods;
  }

  async addPod(options: string | PodOptions): Promise<LabPod> {
    const [pod] = await this.addPods(typeof options === "string" ? { name: options } : options);
    return pod as LabPod;
  }

  /** Takes a pod away as a container runtime does: its processes, then its namespace, and the veth with it. */
  async removePod(name: string): Promise<void> {
    const pod = this.pod(name);
    this.#pods.delete(name);
    await pod[Symbol.asyncDispose]();
    // The kernel takes a namespace down some time after its name is gone; the veth must not linger until then.
    await this.namespace.ip(`link del ${pod.hostInterface}`);
    await runChecked("ip", ["netns", "del", pod.namespace.name]);
  }

  /** Publishes pods of this node as running and Ready, but for `overrides`. */
  applyPod(pod: LabPod, overrides: Partial<PodManifestOptions> = {}): void {
    this.apply(
      podManifest({
        ...pod.manifestOptions(),
        nodeName: this.name,
        hostAddresses: [this.addresses[4], this.addresses[6]],
        ...overrides,
      }),
    );
  }

  /** Publishes a namespace with these labels. */
  applyNamespace(name: string, labels: Readonly<Record<string, string>> = {}): void {
    this.apply(namespaceManifest(name, labels));
  }

  /** Publishes the node's own object. */
  applyNode(): void {
    this.apply(nodeManifest(this.name, [this.addresses[4], this.addresses[6]]));
  }

  apply(...manifests: readonly Manifest[]): void {
    this.manifests.apply(...manifests);
  }

  /** Takes a pod's object away. The pod itself stays until {@link removePod}. */
  deletePodObject(pod: LabPod): void {
    this.manifests.delete({ kind: "Pod", metadata: { name: pod.name, namespace: pod.kubernetesNamespace } });
  }

  /** Tells the agent's CNI socket about a pod, as the CNI plugin does. Throws ERR_CNI_REQUEST with the agent's answer. */
  async cni(command: CniCommand, pod: LabPod): Promise<void> {
    await cniRequest(join(this.paths.sockets, "cni.sock"), command, pod, this.#network);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.pods.map((pod) => pod[Symbol.asyncDispose]()));
    await super[Symbol.asyncDispose]();
  }
}

/** Of a pod's namespace: no wait for duplicate address detection, and no forwarding, which a pod does not do. */
const podSysctls = (rpFilter: number): Record<string, number> => ({
  "net.ipv6.conf.all.accept_dad": 0,
  "net.ipv6.conf.default.accept_dad": 0,
  "net.ipv4.conf.all.rp_filter": rpFilter,
  "net.ipv4.conf.default.rp_filter": rpFilter,
  "net.ipv4.ip_forward": 0,
  "net.ipv4.ip_unprivileged_port_start": 0,
});

function nodePaths(root: string): NodePaths {
  return {
    root,
    bpffs: join(root, "bpf"),
    manifests: join(root, "manifests"),
    journal: join(root, "journal"),
    sockets: join(root, "run"),
    eventLog: join(root, "events.db"),
    ambientConfig: join(root, "ambient-config.json"),
    agentConfig: join(root, "config.yaml"),
  };
}
