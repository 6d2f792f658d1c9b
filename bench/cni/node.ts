import { join } from "node:path";
import { Agent, Lab, type LabNode, Namespace, podManifest, runChecked } from "@millrace/conformance";
import { cpuTimeMs } from "linux-ts";
import type { Variant } from "../variants.ts";
import type { Attachment, NetworkList, Times } from "./chain.ts";
import { CpuGroups } from "./cpu-groups.ts";
import { CNI_PATH, CNI_VERSION, ownEntry } from "./plugins.ts";
import { Runtime } from "./runtime.ts";

const NAMESPACE = "bench";
const PROXY = "z1";

/** A node of the lab with an agent on it, whose pods' interfaces are made by a chain of ptp and our plugin. All of it goes with this. */
export class BenchNode implements AsyncDisposable {
  readonly #lab: Lab;
  readonly #agent: Agent;
  readonly #groups: CpuGroups;
  readonly #resources: AsyncDisposableStack;

  private constructor(lab: Lab, agent: Agent, groups: CpuGroups, resources: AsyncDisposableStack) {
    this.#lab = lab;
    this.#agent = agent;
    this.#groups = groups;
    this.#resources = resources;
  }

  static async create({ plugin, config }: Variant): Promise<BenchNode> {
    await using starting = new AsyncDisposableStack();
    const groups = starting.use(new CpuGroups());
    const lab = starting.use(await Lab.create({ prefix: "bench", nodes: [{ proxies: [PROXY] }] }));
    const node = lab.node(1);
    node.applyNode();
    node.applyNamespace("istio-system");
    node.applyNamespace(NAMESPACE, { "istio.io/dataplane-mode": "ambient" });
    node.applyPod(lab.pod(PROXY));
    const agent = await Agent.start(node, {
      redirectMode: plugin,
      backends: { [plugin]: { ...config } },
      settings: { log: { level: "info", format: "json" } },
    });
    groups.add("agent", agent.pid);
    await agent.untilActive(lab.pod(PROXY));
    return new BenchNode(lab, agent, groups, starting.move());
  }

  /** The lab stops the agent too, which is a program of its node. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }

  /** Starts `count` members, `atOnce` at a time, ends them again, and tells how long each took to start, and what the agent spent on one of them. */
  async startPods(count: number, atOnce: number): Promise<{ times: Times[]; agentCpuMs: number }> {
    const node = this.#lab.node(1);
    await using pods = await Pods.publish(node, this.#agent, count);
    await using runtime = await Runtime.start((...args) => node.start(...args), atOnce, {
      network: this.#network(node),
      cniPath: CNI_PATH,
    });
    for (const pid of runtime.pids) this.#groups.add("runtime", pid);
    const before = cpuTimeMs(this.#agent.pid);
    const times = await runtime.run("ADD", pods.attachments);
    const agentCpuMs = (cpuTimeMs(this.#agent.pid) - before) / count;
    await runtime.run("DEL", pods.attachments);
    return { times, agentCpuMs };
  }

  #network({ paths }: LabNode): NetworkList {
    const ranges = [[{ subnet: "198.18.64.0/20" }], [{ subnet: "2001:2:0:64::/64" }]];
    const routes = [{ dst: "0.0.0.0/0" }, { dst: "::/0" }];
    const ipam = { type: "host-local", dataDir: join(paths.root, "ipam"), ranges, routes };
    return {
      cniVersion: CNI_VERSION,
      name: "bench",
      plugins: [{ type: "ptp", ipam }, ownEntry(join(paths.sockets, "cni.sock"))],
    };
  }
}

let published = 0;

/** Pods that the API server has given to the node, each with the network namespace that a runtime makes before it calls CNI. */
class Pods implements AsyncDisposable {
  readonly attachments: readonly Attachment[];
  readonly #node: LabNode;
  readonly #names: readonly string[];

  private constructor(node: LabNode, names: readonly string[]) {
    this.#node = node;
    this.#names = names;
    this.attachments = names.map((name) => ({
      containerId: `container-${name}`,
      netns: `/run/netns/${this.#netns(name)}`,
      args: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${NAMESPACE};K8S_POD_NAME=${name};K8S_POD_UID=uid-${name}`,
    }));
  }

  /** Resolves once the agent knows them, so that no ADD waits for that. */
  static async publish(node: LabNode, agent: Agent, count: number): Promise<Pods> {
    const names = Array.from({ length: count }, () => `p${published++}`);
    const pods = new Pods(node, names);
    try {
      await pods.#make();
      await agent.until(`${count} pods`, ({ workloads }) => {
        const known = new Set(workloads.map(({ name }) => name));
        return names.every((name) => known.has(name));
      });
    } catch (error) {
      await pods[Symbol.asyncDispose]();
      throw error;
    }
    return pods;
  }

  async #make(): Promise<void> {
    const node = this.#node;
    await batch(this.#names.map((name) => `netns add ${this.#netns(name)}`));
    for (const name of this.#names) {
      // ptp waits until IPv6 addresses are no longer tentative, which would be most of a chain's time.
      await new Namespace(this.#netns(name)).setSysctls({ "net.ipv6.conf.default.accept_dad": 0 });
      const object = { name, namespace: NAMESPACE, uid: `uid-${name}`, createdAt: new Date(), addresses: [] };
      const hostAddresses = [node.addresses[4], node.addresses[6]];
      node.apply(podManifest({ ...object, nodeName: node.name, hostAddresses, phase: "Pending" }));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#names) {
      this.#node.manifests.delete({ kind: "Pod", metadata: { name, namespace: NAMESPACE } });
    }
    await batch(this.#names.map((name) => `netns del ${this.#netns(name)}`));
  }

  /** The lab takes away what begins with its node's name. */
  #netns(name: string): string {
    return `${this.#node.namespace.name}-${name}`;
  }
}

async function batch(lines: readonly string[]): Promise<void> {
  await runChecked("ip", ["-batch", "-"], { input: `${lines.join("\n")}\n`, timeoutMs: 120_000 });
}
