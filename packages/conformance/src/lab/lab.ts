import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../errors.ts";
import { runChecked } from "../programs/command.ts";
import {
  type DualStack,
  externalAddresses,
  externalRange,
  FABRIC_ADDRESSES,
  nodeAddresses,
  podRanges,
  routerAddresses,
  secondPodRange,
} from "./addresses.ts";
import { LabHost } from "./lab-host.ts";
import { LabNode, type PodDefaults } from "./lab-node.ts";
import type { LabPod, PodOptions } from "./lab-pod.ts";
import { Namespace } from "./namespace.ts";
import { claim, labDirectory } from "./owner.ts";
import type { PodNetworkKind } from "./pod-network.ts";
import type { ServiceMode } from "./services.ts";
import { destroyOnSignal, forget } from "./signals.ts";
import { destroyLab, sweepLabs } from "./sweep.ts";

export interface NodeOptions {
  /** Pods in the namespace `demo` unless told otherwise; a bare name will do. */
  readonly pods?: readonly (string | PodOptions)[];
  /** Pods with the label `app=ztunnel` in the namespace `istio-system`. */
  readonly proxies?: readonly (string | PodOptions)[];
}

/** A host outside the cluster. */
export interface ExternalOptions {
  readonly name: string;
  /**
   * Put two routers between the fabric and the host, with this MTU on the link between them. Both ends keep the lab's MTU, so
   * that only ICMP tells them: a small MTU at an end would already show in its MSS.
   */
  readonly behindMtu?: number;
}

export interface LabOptions {
  /** Start of all names; the process id is added to it. Default `mr`. */
  readonly prefix?: string;
  readonly nodes: readonly NodeOptions[];
  readonly externals?: readonly (string | ExternalOptions)[];
  /** `rp_filter` of every node and pod (`all` and `default`); default 0. */
  readonly rpFilter?: 0 | 1 | 2;
  readonly mtu?: number;
  /** How nodes translate Service addresses; default `nft`. */
  readonly services?: ServiceMode;
  /** How pods are attached to their node; default `routed`. */
  readonly pods?: PodNetworkKind;
  /** Whether nodes' rules of iptables see what a bridge passes on (`net.bridge.bridge-nf-call-*`); default: as the kernel has it. */
  readonly bridgeNetfilter?: boolean;
}

let labsOfThisProcess = 0;

/** Throws ERR_LAB_NOT_ROOT. */
export function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new LabError("ERR_LAB_NOT_ROOT", "making a lab needs root: run as root or with sudo");
}

/**
 * A cluster in a box: nodes, pods and external hosts as network namespaces of this machine, dual stack, routed like a
 * cluster whose CNI plugin is `ptp`, or bridged. Nothing outside its namespaces and its directory under /run/millrace-lab is changed,
 * and all of it goes when the lab is disposed of, when the process gets SIGINT or SIGTERM, or, if it was killed, when the
 * next lab is made.
 */
export class Lab implements AsyncDisposable {
  readonly prefix: string;
  readonly #nodes = new Map<number, LabNode>();
  readonly #externals = new Map<string, LabHost>();
  readonly #options: LabOptions;
  #fabric: Namespace | undefined;
  #lastCreation = 0;

  private constructor(prefix: string, options: LabOptions) {
    this.prefix = prefix;
    this.#options = options;
  }

  /** Builds a lab. Throws ERR_LAB_NOT_ROOT or ERR_LAB_COMMAND; what was made until then is removed again. */
  static async create(options: LabOptions): Promise<Lab> {
    requireRoot();
    Lab.sweep();
    const prefix = `${options.prefix ?? "mr"}${process.pid}x${labsOfThisProcess++}`;
    const lab = new Lab(prefix, options);
    claim(prefix);
    destroyOnSignal(prefix);
    await using undo = new AsyncDisposableStack();
    undo.use(lab);
    await lab.#build();
    undo.move();
    return lab;
  }

  /** Removes what labs of dead processes left; returns their prefixes. */
  static sweep(): string[] {
    return sweepLabs();
  }

  get nodes(): readonly LabNode[] {
    return [...this.#nodes.values()];
  }

  /** Node 1, 2, …. Throws ERR_LAB_UNKNOWN_NAME. */
  node(number: number): LabNode {
    const node = this.#nodes.get(number);
    if (node === undefined)
      throw new LabError("ERR_LAB_UNKNOWN_NAME", `the lab has nodes 1 to ${this.#nodes.size}, not ${number}`);
    return node;
  }

  /** A pod by name, on whichever node has it. Throws ERR_LAB_UNKNOWN_NAME. */
  pod(name: string): LabPod {
    const pod = this.nodes.flatMap((node) => node.pods).find((candidate) => candidate.name === name);
    if (pod === undefined) throw new LabError("ERR_LAB_UNKNOWN_NAME", `no node of the lab has a pod ${name}`);
    return pod;
  }

  /** A host outside the cluster. Throws ERR_LAB_UNKNOWN_NAME. */
  external(name: string): LabHost {
    const host = this.#externals.get(name);
    if (host === undefined) throw new LabError("ERR_LAB_UNKNOWN_NAME", `the lab has no external host ${name}`);
    return host;
  }

  /** Every namespace of the lab with its programs: nodes, pods, external hosts. */
  get hosts(): readonly LabHost[] {
    return [...this.nodes, ...this.nodes.flatMap((node) => node.pods), ...this.#externals.values()];
  }

  /** Forgets neighbours everywhere, so that the next packet is the first. */
  cool(): void {
    // Not by a process for each: three hundred pods make a contact cold several times.
    for (const { namespace } of this.hosts) namespace.forgetNeighbours();
  }

  /** Ends everything and replays what the nodes' agents have logged: throws ERR_AGENT_LOG, when all else is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    using end = new DisposableStack();
    end.defer(() => {
      destroyLab(this.prefix);
      forget(this.prefix);
    });
    await Promise.all(this.hosts.map((host) => host[Symbol.asyncDispose]()));
    for (const { agentLogs } of this.nodes) end.defer(() => agentLogs.settleAll());
  }

  async #build(): Promise<void> {
    const {
      nodes,
      externals = [],
      mtu = 1500,
      rpFilter = 0,
      services = "nft",
      pods = "routed",
      bridgeNetfilter,
    } = this.#options;
    const numbers = nodes.map((_, index) => index + 1);
    await runChecked("ip", ["-batch", "-"], {
      input: ["fab", ...numbers.map((number) => `n${number}`)]
        .map((name) => `netns add ${this.prefix}-${name}\n`)
        .join(""),
    });
    const fabric = new Namespace(`${this.prefix}-fab`);
    this.#fabric = fabric;
    await fabric.setSysctls({ "net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0 });
    await fabric.ip(
      "link set lo up",
      "link add br0 type bridge stp_state 0 forward_delay 0",
      `addr add ${FABRIC_ADDRESSES[4]}/24 dev br0`,
      `addr add ${FABRIC_ADDRESSES[6]}/64 dev br0 nodad`,
      "link set br0 up",
    );
    const defaults: PodDefaults = {
      prefix: this.prefix,
      mtu,
      rpFilter,
      services,
      pods,
      nextCreation: () => this.#nextCreation(),
    };
    for (const number of numbers) {
      const namespace = new Namespace(`${this.prefix}-n${number}`);
      await namespace.setSysctls({ ...nodeSysctls(rpFilter), ...bridgeSysctls(bridgeNetfilter) });
      await namespace.ip(...this.#nodeLines(number, numbers, mtu));
      await fabric.ip(`link set node${number} master br0 up`);
      const directory = join(labDirectory(this.prefix), `n${number}`);
      mkdirSync(directory, { recursive: true });
      const node = new LabNode(number, namespace, directory, defaults);
      await runChecked("mount", ["-t", "bpf", "bpf", node.paths.bpffs]);
      await node.services.install();
      await node.prepare();
      this.#nodes.set(number, node);
    }
    await Promise.all(nodes.map((options, index) => this.node(index + 1).addPods(...podsOf(options))));
    for (const [index, external] of externals.entries()) {
      await this.#addExternal(index, typeof external === "string" ? { name: external } : external);
    }
  }

  #nodeLines(number: number, numbers: readonly number[], mtu: number): string[] {
    const own = nodeAddresses(number);
    return [
      "link set lo up",
      `link add eth0 mtu ${mtu} type veth peer name node${number} mtu ${mtu} netns ${this.prefix}-fab`,
      `addr add ${own[4]}/24 dev eth0`,
      `addr add ${own[6]}/64 dev eth0 nodad`,
      "link set eth0 up",
      `route add default via ${FABRIC_ADDRESSES[4]} dev eth0`,
      `route add default via ${FABRIC_ADDRESSES[6]} dev eth0`,
      ...numbers.filter((other) => other !== number).flatMap((other) => podRouteLines(other, nodeAddresses(other))),
    ];
  }

  /** An external host has a route to every node's pods through that node; a routed one through its router. */
  async #addExternal(index: number, { name, behindMtu }: ExternalOptions): Promise<void> {
    const fabric = this.#fabric;
    if (fabric === undefined) throw new LabError("ERR_LAB_UNKNOWN_NAME", "externals are made after the fabric");
    const routed = behindMtu !== undefined;
    const addresses = externalAddresses(index, routed);
    const host = `${this.prefix}-x-${name}`;
    const routers = { near: `${this.prefix}-r-${name}`, far: `${this.prefix}-q-${name}` };
    const made = routed ? [host, routers.near, routers.far] : [host];
    await runChecked("ip", ["-batch", "-"], { input: made.map((namespace) => `netns add ${namespace}\n`).join("") });
    const namespace = new Namespace(host);
    await Promise.all(made.map((made) => new Namespace(made).setSysctls(nodeSysctls(0))));
    const podRoutes = this.nodes.flatMap((node) => podRouteLines(node.number, node.addresses));
    const edge = routed ? new Namespace(routers.near) : namespace;
    const fabricAddresses = routed ? routerAddresses(index).fabric : addresses;
    await edge.ip(
      "link set lo up",
      `link add eth0 type veth peer name ext${index} netns ${fabric.name}`,
      `addr add ${fabricAddresses[4]}/24 dev eth0`,
      `addr add ${fabricAddresses[6]}/64 dev eth0 nodad`,
      "link set eth0 up",
      ...podRoutes,
    );
    if (routed) await this.#addRouters(index, namespace, edge, new Namespace(routers.far), behindMtu);
    await fabric.ip(`link set ext${index} master br0 up`);
    this.#externals.set(name, new LabHost(name, namespace, addresses));
  }

  /** near (on the fabric) — link of `mtu` — far — host; every node reaches the host's range through near. */
  async #addRouters(index: number, host: Namespace, near: Namespace, far: Namespace, mtu: number): Promise<void> {
    const addresses = externalAddresses(index, true);
    const { fabric, inside } = routerAddresses(index);
    await near.ip(
      `link add narrow mtu ${mtu} type veth peer name narrow mtu ${mtu} netns ${far.name}`,
      "addr add 198.19.200.1/30 dev narrow",
      "addr add 2001:2:0:e000::1/64 dev narrow nodad",
      "link set narrow up",
      ...viaLines(externalRange(index), { 4: "198.19.200.2", 6: "2001:2:0:e000::2" }),
    );
    await far.ip(
      "link set lo up",
      "addr add 198.19.200.2/30 dev narrow",
      "addr add 2001:2:0:e000::2/64 dev narrow nodad",
      "link set narrow up",
      `link add inside type veth peer name eth0 netns ${host.name}`,
      `addr add ${inside[4]}/24 dev inside`,
      `addr add ${inside[6]}/64 dev inside nodad`,
      "link set inside up",
      "route add default via 198.19.200.1 dev narrow",
      "route add default via 2001:2:0:e000::1 dev narrow",
    );
    await host.ip(
      "link set lo up",
      `addr add ${addresses[4]}/24 dev eth0`,
      `addr add ${addresses[6]}/64 dev eth0 nodad`,
      "link set eth0 up",
      `route add default via ${inside[4]} dev eth0`,
      `route add default via ${inside[6]} dev eth0`,
    );
    await Promise.all(this.nodes.map((node) => node.namespace.ip(...viaLines(externalRange(index), fabric))));
  }

  #nextCreation(): Date {
    this.#lastCreation = Math.max(this.#lastCreation + 1_000, Math.floor(Date.now() / 1_000) * 1_000);
    return new Date(this.#lastCreation);
  }
}

function podsOf({ pods = [], proxies = [] }: NodeOptions): PodOptions[] {
  const plain = (pod: string | PodOptions): PodOptions => (typeof pod === "string" ? { name: pod } : pod);
  return [...pods.map(plain), ...proxies.map((proxy) => proxyPod(plain(proxy)))];
}

/** What makes a pod a node proxy in the eyes of the agent, unless the options say otherwise. */
export function proxyPod(options: PodOptions): PodOptions {
  return {
    ...options,
    namespace: options.namespace ?? "istio-system",
    labels: options.labels ?? { app: "ztunnel" },
    annotations: options.annotations ?? { "ambient.istio.io/redirection": "disabled" },
  };
}

const viaLines = (range: DualStack, via: DualStack): string[] => [
  `route add ${range[4]} via ${via[4]}`,
  `route add ${range[6]} via ${via[6]}`,
];

const podRouteLines = (node: number, via: DualStack): string[] => [
  ...viaLines(podRanges(node), via),
  `route add ${secondPodRange(node)} via ${via[4]}`,
];

const nodeSysctls = (rpFilter: number): Record<string, number> => ({
  "net.ipv4.ip_forward": 1,
  "net.ipv6.conf.all.forwarding": 1,
  "net.ipv6.conf.all.accept_dad": 0,
  "net.ipv6.conf.default.accept_dad": 0,
  "net.ipv4.conf.all.rp_filter": rpFilter,
  "net.ipv4.conf.default.rp_filter": rpFilter,
});

/** The kernel has them where br_netfilter is loaded, in each network namespace (net/bridge/br_netfilter_hooks.c, brnf_table). */
const bridgeSysctls = (isOn: boolean | undefined): Record<string, number> =>
  isOn === undefined
    ? {}
    : Object.fromEntries(
        ["ip", "ip6", "arp"].map((table) => [`net.bridge.bridge-nf-call-${table}tables`, Number(isOn)]),
      );
