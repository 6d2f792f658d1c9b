import { setTimeout as sleep } from "node:timers/promises";
import { Agent, type Tracer } from "../agent/agent.ts";
import { LabError } from "../errors.ts";
import { FAMILIES } from "../lab/addresses.ts";
import { addFirewall, type IptablesFlavour } from "../lab/firewall.ts";
import { Lab, proxyPod } from "../lab/lab.ts";
import type { LabHost } from "../lab/lab-host.ts";
import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod, PodOptions } from "../lab/lab-pod.ts";
import type { Namespace } from "../lab/namespace.ts";
import type { PodNetworkKind } from "../lab/pod-network.ts";
import type { ServiceMode } from "../lab/services.ts";
import type { Finished } from "../programs/command.ts";
import type { Endpoint } from "../programs/endpoint.ts";
import { Haproxy, type HaproxyOptions } from "../programs/haproxy.ts";
import { SLOW } from "../slow.ts";
import { countersOf, kernelCounters } from "./counted.ts";
import { type TunnelUse, tunnelsOf } from "./tunnels.ts";

/** What every server of the fixture listens on, TCP and UDP. */
export const SERVER_PORT = 8080;
/** Another one, TCP only. */
export const OTHER_PORT = 8081;
/** Kubernetes namespaces of the fixture: pods in `mesh` are members, in `plain` never, in `late` as a behaviour wants. */
export const NAMESPACES = { mesh: "mesh", plain: "plain", late: "late" } as const;
export const MEMBERSHIP_LABEL = { "istio.io/dataplane-mode": "ambient" } as const;

export interface TestbedOptions {
  readonly backend: string;
  readonly backendConfig: Readonly<Record<string, unknown>>;
  readonly plugins: readonly string[];
  /** The built-in backend that it is made of, when it is one under another name: its documented differences and its objects are this one's. */
  readonly like?: string;
  /** How to run `millrace`; default: this repository's sources. */
  readonly agentCommand?: readonly string[];
  /** What to call the lab. */
  readonly prefix?: string;
  /** How the node translates Service addresses; default `nft`. */
  readonly services?: ServiceMode;
  /** How pods are attached to their node; default `routed`. */
  readonly pods?: PodNetworkKind;
  /** Whether the nodes' iptables see what bridges pass on; default: as the kernel has it. */
  readonly bridgeNetfilter?: boolean;
}

/** Lines of the agent's log to show. */
const LOG_LINES = 40;

/** Between two comparisons with the kernel: short, so that what only they find is found within a test. */
export const RESYNC_SECONDS = 0.3 * SLOW;

/**
 * The fixture: node 1 with members m1 and m2, a plain pod p1, a pod l1 whose namespace can be enrolled, and proxy z1; node 2
 * with the plain pod s1; hosts outside: `ext`, and `far` behind a path with an MTU of 1400. The agent runs on node 1 and has
 * enrolled the members when this is done.
 */
export class Testbed implements AsyncDisposable {
  readonly lab: Lab;
  readonly node: LabNode;
  readonly options: TestbedOptions;
  #agent: Agent | undefined;
  #proxy: Haproxy | undefined;
  #proxyName = "z1";
  #proxies = 1;
  /** Names of proxies that a behaviour publishes itself. */
  readonly #unpublished = new Set<string>();

  private constructor(lab: Lab, options: TestbedOptions) {
    this.lab = lab;
    this.node = lab.node(1);
    this.options = options;
  }

  /** The whole fixture. */
  static async create(options: TestbedOptions): Promise<Testbed> {
    await using undo = new AsyncDisposableStack();
    const bed = undo.use(await Testbed.bare(options));
    await bed.start();
    undo.move();
    return bed;
  }

  /** The fixture without agent and proxy: pods that serve. */
  static async bare(options: TestbedOptions): Promise<Testbed> {
    await using undo = new AsyncDisposableStack();
    const mesh = (name: string) => ({ name, namespace: NAMESPACES.mesh });
    const plain = (name: string) => ({ name, namespace: NAMESPACES.plain });
    const lab = await Lab.create({
      prefix: options.prefix ?? "mrc",
      nodes: [
        { pods: [mesh("m1"), mesh("m2"), plain("p1"), { name: "l1", namespace: NAMESPACES.late }], proxies: ["z1"] },
        { pods: [plain("s1")] },
      ],
      externals: ["ext", { name: "far", behindMtu: 1400 }],
      ...(options.services === undefined ? {} : { services: options.services }),
      ...(options.pods === undefined ? {} : { pods: options.pods }),
      ...(options.bridgeNetfilter === undefined ? {} : { bridgeNetfilter: options.bridgeNetfilter }),
    });
    const bed = undo.use(new Testbed(lab, options));
    for (const { namespace } of [bed.node, bed.z]) await bed.#addFirewall(namespace);
    await Promise.all(lab.hosts.filter(({ name }) => name !== "z1" && name !== "n2").map(serve));
    undo.move();
    return bed;
  }

  /** Starts proxy and agent, publishes everything and waits until m1 and m2 are enrolled. */
  async start(settings: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await Promise.all([this.startProxy(), this.startAgent(settings)]);
    await this.ready();
  }

  /** Publishes everything, and starts the agent without waiting for what it does. */
  async startAgent(settings: Readonly<Record<string, unknown>> = {}, tracer?: Tracer): Promise<void> {
    const { backend, backendConfig, plugins, agentCommand } = this.options;
    this.publish();
    this.#agent = await Agent.start(this.node, {
      redirectMode: backend,
      backends: { [backend]: backendConfig },
      plugins,
      ...(agentCommand === undefined ? {} : { command: agentCommand }),
      ...(tracer === undefined ? {} : { tracer }),
      settings: { resync: { intervalSeconds: RESYNC_SECONDS }, ...settings },
    });
  }

  /** Waits until the proxy is active and m1 and m2 are enrolled. */
  async ready(): Promise<void> {
    await this.agent.untilActive(this.z);
    await this.agent.untilEnrolled(this.m1, this.m2);
  }

  /** What tells why a trial failed: how the proxy's connections ended, what TCP and the backend counted, what the agent said. */
  async troubles(): Promise<Record<string, unknown>> {
    const hosts = [this.z, this.m1, this.m2, this.node, this.ext];
    const tcp = await Promise.all(hosts.map(kernelCounters));
    // The agent may be what failed; the rest is to be seen all the same.
    const counted = await this.#counted().catch((error: Error) => error.message);
    return { proxy: this.#proxy?.troubles(), tcp, counted, agent: this.#agent?.lines.slice(-LOG_LINES) };
  }

  async #counted(): Promise<unknown> {
    const counters = Object.entries(await countersOf(this.agent));
    return Object.fromEntries(counters.filter(([, count]) => count !== 0));
  }

  /** The agent again, with other settings; `{}` gives the usual ones back. */
  async reconfigure(settings: Readonly<Record<string, unknown>>): Promise<void> {
    await this.agent.stop();
    await this.startAgent(settings);
    await this.ready();
  }

  /** Stops the agent, if one was started: for whoever cleans up after a failure, which is not to be hidden by another. */
  async stopAgent(): Promise<void> {
    await this.#agent?.stop();
  }

  /** Stops the agent and runs `millrace uninstall`. */
  async uninstall(): Promise<Finished> {
    await this.agent.stop();
    return this.agent.millrace("uninstall");
  }

  /** After {@link uninstall}: stops the proxy too, so that the fixture is bare again. */
  async strip(): Promise<void> {
    if (this.#agent?.running === true) throw new LabError("ERR_EXPECTATION", "a bare fixture was left with an agent");
    this.#agent = undefined;
    await this.#proxy?.stop();
    this.#proxy = undefined;
  }

  get agent(): Agent {
    if (this.#agent === undefined) throw new LabError("ERR_AGENT_NOT_READY", "the fixture was not started");
    return this.#agent;
  }

  /** HAProxy in {@link z}; another one after {@link restartProxy} and {@link succeed}. */
  get proxy(): Haproxy {
    if (this.#proxy === undefined) throw new LabError("ERR_PROGRAM_NOT_READY", "the fixture was not started");
    return this.#proxy;
  }

  get m1(): LabPod {
    return this.lab.pod("m1");
  }
  get m2(): LabPod {
    return this.lab.pod("m2");
  }
  get p1(): LabPod {
    return this.lab.pod("p1");
  }
  get l1(): LabPod {
    return this.lab.pod("l1");
  }
  get s1(): LabPod {
    return this.lab.pod("s1");
  }
  /** The proxy's pod: z1 at first, and whichever took its place. */
  get z(): LabPod {
    return this.lab.pod(this.#proxyName);
  }
  get ext(): LabHost {
    return this.lab.external("ext");
  }
  get far(): LabHost {
    return this.lab.external("far");
  }

  /** Publishes namespaces and pods; `late` is not enrolled. */
  publish(): void {
    const { node } = this;
    node.applyNode();
    node.applyNamespace("istio-system");
    node.applyNamespace(NAMESPACES.plain);
    node.applyNamespace(NAMESPACES.late);
    node.applyNamespace(NAMESPACES.mesh, MEMBERSHIP_LABEL);
    for (const pod of node.pods) if (!this.#unpublished.has(pod.name)) node.applyPod(pod);
  }

  /** Makes l1 a member, or no longer one, by its namespace's label. */
  labelLate(member: boolean): void {
    this.node.applyNamespace(NAMESPACES.late, member ? MEMBERSHIP_LABEL : {});
  }

  /** A new HAProxy process in the proxy's pod; the one before must have ended. */
  async restartProxy(options: Partial<HaproxyOptions> = {}): Promise<void> {
    await this.startProxy(options);
  }

  /** A further pod with a running proxy, not published. */
  async addProxy(options: Partial<PodOptions> = {}): Promise<Haproxy> {
    const name = options.name ?? `z${++this.#proxies}`;
    const pod = await this.node.addPod(proxyPod({ ...options, name }));
    await this.#addFirewall(pod.namespace);
    this.#unpublished.add(name);
    return Haproxy.start(pod, { directory: this.node.paths.root });
  }

  /** From now on `proxy` is the fixture's; the one before goes, its pod and its object with it. */
  async succeed(proxy: Haproxy): Promise<void> {
    const old = this.node.pods.find(({ name }) => name === this.#proxyName);
    this.#proxy = proxy;
    this.#proxyName = proxy.pod.name;
    this.#unpublished.delete(proxy.pod.name);
    if (old === undefined || old === proxy.pod) return;
    this.node.deletePodObject(old);
    await this.node.removePod(old.name);
    await this.agent.until(`departure of ${old.name}`, ({ proxies }) => proxies.every(({ uid }) => uid !== old.uid));
  }

  /** The node's tunnel devices, with what they have carried. */
  tunnels(): Promise<TunnelUse[]> {
    return tunnelsOf(this.node.namespace);
  }

  /** In the flavours that whoever redirects, and kube-proxy, use: what is compared before and after has their tables already. */
  async #addFirewall(namespace: Namespace): Promise<void> {
    const { backendConfig, services } = this.options;
    const flavours = new Set<IptablesFlavour>([
      backendConfig.flavour === "legacy" ? "legacy" : "nft",
      services === "iptables-legacy" ? "legacy" : "nft",
    ]);
    for (const flavour of flavours) await addFirewall(namespace, flavour);
  }

  /** HAProxy in the proxy's pod. */
  async startProxy(options: Partial<HaproxyOptions> = {}): Promise<void> {
    this.#proxy = await Haproxy.start(this.z, { directory: this.node.paths.root, ...options });
  }

  /** Forgets what the kernels have learnt of paths' MTUs, which they would keep for ten minutes. */
  async forgetPaths(): Promise<void> {
    const hosts = [this.m1, this.z, this.node, this.far];
    await Promise.all(
      hosts.flatMap(({ namespace }) =>
        ["-4", "-6"].map((family) => namespace.runChecked("ip", [family, "route", "flush", "cache"])),
      ),
    );
  }

  /** Waits until what the proxy served has been logged: its sessions have ended. */
  async settle(): Promise<void> {
    await sleep(30);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}

/** Starts the host's endpoint and lets it serve. */
export async function serve(host: LabHost): Promise<Endpoint> {
  const endpoint = await host.endpoint();
  // A member may serve on the proxy's ports too: what is for it must not end up at the proxy, nor the other way round.
  await Promise.all([
    endpoint.listen(SERVER_PORT, OTHER_PORT, 15001, 15006, 15008),
    ...FAMILIES.map((family) => endpoint.ask("listenUdp", { port: SERVER_PORT, host: host.address(family) })),
    endpoint.ask("listen", { port: 8025, greeting: GREETING }),
  ]);
  return endpoint;
}

/** What the server on port 8025 says before it is asked. */
export const GREETING = "220 lab ready\r\n";
