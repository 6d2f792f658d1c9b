import { rmSync } from "node:fs";
import { join } from "node:path";
import { EventLogReader } from "@millrace/core/internal";
import { Agent, cleanEnvironment, MILLRACE_COMMAND } from "../agent/agent.ts";
import { type AgentStatus, readStatus } from "../agent/status.ts";
import { fillBuiltInChains } from "../lab/built-in-chains.ts";
import { Lab, proxyPod } from "../lab/lab.ts";
import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import { stampProxy } from "../lab/stamp.ts";
import { pause } from "../pause.ts";
import { Haproxy } from "../programs/haproxy.ts";
import type { Program } from "../programs/program.ts";
import { within } from "../slow.ts";
import { compareSnapshots, type Snapshot } from "../snapshot/snapshot.ts";
import { ServerEscapes } from "../suite/server-escapes.ts";
import { MEMBERSHIP_LABEL, NAMESPACES } from "../suite/testbed.ts";
import { NodeClock } from "./clock.ts";
import { kernelImage } from "./kernel-image.ts";
import { PORT, Traffic } from "./traffic.ts";
import type { Variant } from "./variants.ts";

/** One thread for what waits, so that the how-manieth call of it is the same every time. */
const ONE_THREAD = { UV_THREADPOOL_SIZE: "1" };
/** Nothing is to happen by itself while something is done. */
const SETTINGS = { dnsCapture: true, resync: { intervalSeconds: 3600 } };

/** How the agent is asked to be: what a status has to show when it is. */
export interface Wanted {
  late: boolean;
  active: LabPod;
}

/** A node with members m1 and m2, l1 that can be one, proxies z1 and z2, and two servers outside, for one variant. */
export class CrashBed implements AsyncDisposable {
  readonly lab: Lab;
  readonly node: LabNode;
  readonly variant: Variant;
  readonly wanted: Wanted;
  /** The node before anything was installed. */
  readonly bare: Snapshot;
  readonly clock: NodeClock;
  readonly #environment: Readonly<Record<string, string>>;
  #agent: Agent | undefined;

  private constructor(lab: Lab, variant: Variant, bare: Snapshot) {
    this.lab = lab;
    this.node = lab.node(1);
    this.variant = variant;
    this.wanted = { late: false, active: lab.pod("z1") };
    this.bare = bare;
    this.clock = new NodeClock(this.node.paths.root);
    this.#environment = { ...ONE_THREAD, ...this.clock.environment };
  }

  /** The node without an agent, everything published. */
  static async create(variant: Variant): Promise<CrashBed> {
    const member = (name: string) => ({ name, namespace: NAMESPACES.mesh });
    await using undo = new AsyncDisposableStack();
    const lab = undo.use(
      await Lab.create({
        prefix: "cr",
        nodes: [
          { pods: [member("m1"), member("m2"), { name: "l1", namespace: NAMESPACES.late }], proxies: ["z1", "z2"] },
        ],
        externals: ["w1", "w2"],
      }),
    );
    const node = lab.node(1);
    const others = [...node.pods.filter((pod) => !isProxy(pod)), lab.external("w1"), lab.external("w2")];
    await Promise.all([
      ...others.map(async (host) => (await host.endpoint()).listen(PORT)),
      ...node.pods.filter(isProxy).map((pod) => startProxy(pod, node, variant)),
      fillBuiltInChains([node.namespace], variant.flavour),
    ]);
    const bed = undo.use(new CrashBed(lab, variant, await stable(node)));
    bed.#publish();
    undo.move();
    return bed;
  }

  /** A further pod with a running proxy, not published. */
  async addProxy(name: string): Promise<LabPod> {
    const pod = await this.node.addPod(proxyPod({ name }));
    await startProxy(pod, this.node, this.variant);
    return pod;
  }

  /** Starts the agent for the first time. */
  async install(): Promise<void> {
    const { backend, config } = this.variant;
    const variables = Object.entries(this.#environment).map(([name, value]) => `${name}=${value}`);
    const command = ["env", ...variables, ...MILLRACE_COMMAND];
    this.#agent = await Agent.start(this.node, {
      redirectMode: backend,
      backends: { [backend]: config },
      settings: SETTINGS,
      command,
    });
    await this.settled();
  }

  get agent(): Agent {
    if (this.#agent === undefined) throw new Error("the agent of this node was never started");
    return this.#agent;
  }

  /** Starts `millrace` under something, as a process of the node that is not waited for. */
  start(under: readonly string[], ...command: readonly string[]): Program {
    const [file = "", ...args] = [...under, ...MILLRACE_COMMAND, ...command, "--config", this.node.paths.agentConfig];
    return this.node.start(`millrace ${command[0]}`, file, args, {
      env: { ...cleanEnvironment(), ...this.#environment },
    });
  }

  /** Whether a status shows all that is wanted, read back from the kernel. */
  shows({ workloads, proxies, observation }: AgentStatus): boolean {
    const state = (name: string) =>
      workloads.find(({ uid }) => uid === this.lab.pod(name).uid)?.state ?? "not a member";
    return (
      ["m1", "m2"].every((name) => state(name) === "enrolled") &&
      state("l1") === (this.wanted.late ? "enrolled" : "not a member") &&
      proxies.some(({ uid, role }) => uid === this.wanted.active.uid && role === "active") &&
      proxies.every(({ state }) => state === "complete") &&
      observation?.problems.length === 0
    );
  }

  async settled(timeoutMs = within(30_000)): Promise<void> {
    await this.agent.until("all that is wanted", (status) => this.shows(status), timeoutMs);
  }

  /** Asked seldom: each answer is many system calls, and each program that is started takes several times as long. */
  async settledUnderStrace(): Promise<void> {
    const deadline = performance.now() + within(180_000);
    while (!(await this.isSettled())) {
      if (performance.now() > deadline) throw new Error("the traced agent did not come to all that is wanted");
    }
  }

  /** The same of a process that may not serve yet, or any more. Asked seldom: under strace an answer takes the time of what is waited for. */
  async isSettled(): Promise<boolean> {
    await pause(within(200), performance.now());
    try {
      return this.shows(await readStatus(join(this.node.paths.sockets, "admin.sock")));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ECONNRESET") return false;
      throw error;
    }
  }

  /** What the node is like once nothing of it changes any more. */
  image(): Promise<Snapshot> {
    return stable(this.node);
  }

  /** How the node differs from what it should be like; waits for it to come to that, at most 30 s. */
  async differences(expected: Snapshot): Promise<string[]> {
    const deadline = performance.now() + within(30_000);
    for (;;) {
      const began = performance.now();
      const differences = compareSnapshots(expected, await kernelImage(this.node));
      if (differences.length === 0 || performance.now() > deadline) return differences;
      await pause(200, began);
    }
  }

  /** The last time that the kernel was changed, by its number in the event log. */
  lastAnswer(): number {
    using reader = EventLogReader.open(this.node.paths.eventLog);
    const [row] = reader.rows({ types: ["redirection.applied", "redirection.removed"], last: 1 });
    return row?.record.seq ?? 0;
  }

  /** New connections of members and to them, and streams if they are to outlive what is done. */
  traffic(withStreams: boolean): Promise<Traffic> {
    const [m1, m2, l1] = [this.lab.pod("m1"), this.lab.pod("m2"), this.lab.pod("l1")];
    const [w1, w2] = [this.lab.external("w1"), this.lab.external("w2")];
    const senders = [
      { from: m1, to: [w1, w2, m2], rate: 40 },
      { from: w1, to: [m1], rate: 20 },
      { from: l1, to: [w2], rate: 10 },
    ];
    return Traffic.start(senders, withStreams ? senders.slice(0, 2) : []);
  }

  countEscapes(onceProxied: boolean): Promise<ServerEscapes> {
    const members = ["m1", "m2"].map((name) => this.lab.pod(name));
    const worlds = ["w1", "w2"].map((name) => this.lab.external(name));
    return ServerEscapes.start({ node: this.node, members, worlds, onceProxied });
  }

  /** Of an agent that runs, it goes on in files that have no name any more. */
  loseLog(): void {
    for (const suffix of ["", "-wal", "-shm"]) rmSync(this.node.paths.eventLog + suffix, { force: true });
  }

  publishLate(): void {
    this.node.applyNamespace(NAMESPACES.late, this.wanted.late ? MEMBERSHIP_LABEL : {});
  }

  publishProxies(): void {
    const isActive = (pod: LabPod) => pod === this.wanted.active;
    // The new one first, as Kubernetes has it in a rolling update: at no time is there none.
    const proxies = this.node.pods.filter(isProxy).sort((a, b) => Number(isActive(b)) - Number(isActive(a)));
    for (const pod of proxies) this.node.applyPod(pod, { ready: isActive(pod) });
  }

  #publish(): void {
    this.node.applyNode();
    this.node.applyNamespace("istio-system");
    this.node.applyNamespace(NAMESPACES.mesh, MEMBERSHIP_LABEL);
    this.publishLate();
    for (const name of ["m1", "m2", "l1"]) this.node.applyPod(this.lab.pod(name));
    this.publishProxies();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}

const isProxy = ({ labels }: LabPod): boolean => labels.app === "ztunnel";

/** HAProxy in the pod, which stamps what it dials; and on a node that is in use no chain of iptables is empty. */
async function startProxy(pod: LabPod, node: LabNode, variant: Variant): Promise<void> {
  await stampProxy(pod);
  await fillBuiltInChains([pod.namespace], variant.flavour);
  await Haproxy.start(pod, { directory: join(node.paths.root, pod.name) });
}

/** Two looks that show the same, a while apart: longer than anything waits before it goes. */
async function stable(node: LabNode): Promise<Snapshot> {
  const deadline = performance.now() + within(60_000);
  let last = await kernelImage(node);
  for (;;) {
    await pause(within(1_500), performance.now());
    const next = await kernelImage(node);
    const changes = compareSnapshots(last, next);
    if (changes.length === 0) return next;
    if (performance.now() > deadline) throw new Error(`the node does not come to rest:\n${changes.join("\n")}`);
    last = next;
  }
}
