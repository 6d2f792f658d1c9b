import { join } from "node:path";
import { z } from "zod";
import { Agent } from "../agent/agent.ts";
import { type Family, hostPort } from "../lab/addresses.ts";
import { Lab, proxyPod } from "../lab/lab.ts";
import type { LabHost } from "../lab/lab-host.ts";
import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import { stampProxy } from "../lab/stamp.ts";
import { Haproxy } from "../programs/haproxy.ts";
import { type Snapshot, snapshot } from "../snapshot/snapshot.ts";
import type { Mode } from "./mode.ts";
import { type Neighbours, startNeighbours } from "./neighbours.ts";
import { expect } from "./scenario.ts";

export const PORTS = { http: 8080, hbone: 15008, udp: 9000 } as const;

/** Namespaces of the demo: one in the mesh, one not. */
const MEMBERS = "shop";
const OTHERS = "plain";

const Seen = z.object({ peer: z.string(), peerPort: z.number(), local: z.string(), localPort: z.number() });
export type ServerSaw = z.output<typeof Seen>;

/**
 * The demo's cluster: two nodes with an agent and a HAProxy each. On node 1 the members `cart` and `web` and the pod
 * `legacy` outside the mesh; on node 2 the member `api` and `db` outside the mesh; a host `world` outside the cluster.
 */
export class Stage implements AsyncDisposable {
  readonly mode: Mode;
  readonly lab: Lab;
  readonly agents: readonly Agent[];
  readonly proxies: readonly Haproxy[];
  readonly neighbours: Neighbours;
  /** State of each node before its agent was started for the first time. */
  readonly before: ReadonlyMap<LabNode, Snapshot>;
  #proxyOfNode1: Haproxy;

  private constructor(
    mode: Mode,
    lab: Lab,
    proxies: readonly Haproxy[],
    neighbours: Neighbours,
    before: ReadonlyMap<LabNode, Snapshot>,
    agents: readonly Agent[],
  ) {
    this.mode = mode;
    this.lab = lab;
    this.proxies = proxies;
    this.neighbours = neighbours;
    this.before = before;
    this.agents = agents;
    const [first] = proxies;
    expect(first !== undefined, "the demo needs a proxy on node 1");
    this.#proxyOfNode1 = first;
  }

  static async create(mode: Mode): Promise<Stage> {
    const member = (name: string) => ({ name, namespace: MEMBERS });
    const other = (name: string) => ({ name, namespace: OTHERS });
    const lab = await Lab.create({
      prefix: "demo",
      nodes: [
        { pods: [member("cart"), member("web"), other("legacy")], proxies: ["ztunnel-1"] },
        { pods: [member("api"), other("db")], proxies: ["ztunnel-2"] },
      ],
      externals: ["world"],
      services: mode.services,
    });
    try {
      return await Stage.#fill(mode, lab);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  static async #fill(mode: Mode, lab: Lab): Promise<Stage> {
    const proxyPods = [lab.pod("ztunnel-1"), lab.pod("ztunnel-2")];
    await Promise.all(proxyPods.map(stampProxy));
    await Promise.all(
      ["cart", "web", "api", "db", "legacy"].map(async (name) => {
        const server = await lab.pod(name).endpoint();
        await server.listen(PORTS.http, PORTS.hbone);
        await server.ask("listenUdp", { port: PORTS.udp });
      }),
    );
    await lab.node(1).services.add("api", {
      address: SERVICE,
      port: 80,
      endpoint: lab.pod("db").addresses,
      endpointPort: PORTS.http,
    });
    const proxies = await Promise.all(
      lab.nodes.map((node, index) => Haproxy.start(proxyPods[index] as LabPod, { directory: node.paths.root })),
    );
    const neighbours = startNeighbours(lab.node(1), lab.pod("cart"));
    await mode.prepare(lab);
    const before = new Map<LabNode, Snapshot>();
    for (const node of lab.nodes) before.set(node, await snapshot(node));
    const agents = await Promise.all(
      lab.nodes.map((node) => {
        node.applyNode();
        node.applyNamespace("istio-system");
        node.applyNamespace(MEMBERS, { "istio.io/dataplane-mode": "ambient" });
        node.applyNamespace(OTHERS);
        for (const pod of node.pods) node.applyPod(pod);
        return Agent.start(node, {
          ...mode.agent(node),
          settings: { log: { level: "info", format: "text" } },
        });
      }),
    );
    const stage = new Stage(mode, lab, proxies, neighbours, before, agents);
    await stage.untilReady();
    return stage;
  }

  async untilReady(): Promise<void> {
    await Promise.all([
      this.agent(1).untilEnrolled(this.cart, this.web),
      this.agent(1).untilActive(this.lab.pod("ztunnel-1")),
      this.agent(2).untilEnrolled(this.api),
      this.agent(2).untilActive(this.lab.pod("ztunnel-2")),
    ]);
  }

  get cart(): LabPod {
    return this.lab.pod("cart");
  }
  get web(): LabPod {
    return this.lab.pod("web");
  }
  get api(): LabPod {
    return this.lab.pod("api");
  }
  get db(): LabPod {
    return this.lab.pod("db");
  }
  get legacy(): LabPod {
    return this.lab.pod("legacy");
  }
  get world(): LabHost {
    return this.lab.external("world");
  }

  agent(node: 1 | 2): Agent {
    return this.agents[node - 1] as Agent;
  }

  proxy(node: 1 | 2): Haproxy {
    return node === 1 ? this.#proxyOfNode1 : (this.proxies[1] as Haproxy);
  }

  /** Starts HAProxy on node 1 again after it was stopped. */
  async restartProxy(): Promise<void> {
    const node = this.lab.node(1);
    this.#proxyOfNode1 = await Haproxy.start(this.lab.pod("ztunnel-1"), { directory: join(node.paths.root, "again") });
  }

  /** Makes a further proxy pod on a node, newer than the others, and publishes it once its HAProxy is ready. */
  async addProxy(node: LabNode, name: string): Promise<Haproxy> {
    const pod = await node.addPod(proxyPod({ name }));
    await stampProxy(pod);
    const proxy = await Haproxy.start(pod, { directory: node.paths.root });
    node.applyPod(pod);
    return proxy;
  }

  async removeProxy(node: LabNode, name: string): Promise<void> {
    node.deletePodObject(node.pod(name));
    await node.removePod(name);
  }

  /** Asks over HTTP with curl, from `from`; returns what the server saw. Throws NotShown when there is no answer. */
  async get(from: LabHost, host: string, port: number = PORTS.http): Promise<ServerSaw> {
    const { status, stdout, stderr } = await this.curl(from, host, port);
    expect(status === 0, `curl from ${from.name} to ${hostPort(host, port)} failed (${status}): ${stderr.trim()}`);
    return Seen.parse(JSON.parse(stdout));
  }

  curl(from: LabHost, host: string, port: number = PORTS.http, seconds = 3) {
    return from.namespace.run("curl", ["-sS", "--max-time", String(seconds), `http://${hostPort(host, port)}/`]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.neighbours[Symbol.dispose]();
    await this.lab[Symbol.asyncDispose]();
  }
}

/** A Service address of node 1 whose one endpoint is `db`. */
export const SERVICE = { 4: "198.18.250.1", 6: "2001:2:0:fa::1" } as const;

export const familyName = (family: Family): string => `IPv${family}`;
