import { join } from "node:path";
import { Agent, hostPort, Lab, type LabPod, type Namespace, type Program } from "@millrace/conformance";
import { pinned } from "./pinned.ts";
import type { Cell } from "./plan.ts";
import { PROXY_PORT, proxyCommand, SERVER_PORT, serverCommand } from "./rig.ts";

/** No socket waits in TIME_WAIT: tens of thousands of connections a second would soon have no ports left. */
const SYSCTLS = { "net.ipv4.tcp_max_tw_buckets": 0 };

/**
 * One cell's namespaces: a client that is a member, where there is a backend, a server that is none, and a proxy. Nodes have no Service rules, so in
 * `direct` no packet meets connection tracking: that is the fastest that the way can be. All of it goes with this.
 */
export class Bed implements AsyncDisposable {
  readonly client: LabPod;
  readonly url: string;
  readonly proxy: Program;
  readonly server: Program;
  readonly #proxyPod: LabPod;
  readonly #lab: Lab;

  private constructor(lab: Lab, cell: Cell) {
    this.#lab = lab;
    this.client = lab.pod("client");
    this.#proxyPod = lab.pod("proxy");
    const server = lab.pod("server");
    const isExplicit = cell.mode.isProxied && cell.mode.backend === undefined;
    this.url = `http://${isExplicit ? hostPort(this.#proxyPod.address(4), PROXY_PORT) : hostPort(server.address(4), SERVER_PORT)}`;
    const { root } = lab.node(1).paths;
    const sizes = cell.loads.map(({ bytes }) => bytes);
    this.server = start(server, "server", pinned(cell.pinning, serverCommand(cell.rig, join(root, "server"), sizes)));
    const command = proxyCommand(cell.rig, this.#proxyPod, root, isExplicit ? server : undefined);
    this.proxy = start(this.#proxyPod, "proxy", pinned(cell.pinning, command));
  }

  static async create(cell: Cell): Promise<Bed> {
    await using starting = new AsyncDisposableStack();
    const [client, server] = ["client", "server"].map((name) => ({ name, namespace: name }));
    if (client === undefined || server === undefined) throw new Error("there is no client or no server");
    const near = { pods: cell.path === "same-node" ? [client, server] : [client], proxies: ["proxy"] };
    const nodes = cell.path === "same-node" ? [near] : [near, { pods: [server] }];
    const lab = starting.use(await Lab.create({ prefix: "mrp", nodes }));
    await Promise.all(lab.nodes.flatMap(({ pods }) => pods.map(({ namespace }) => namespace.setSysctls(SYSCTLS))));
    const bed = new Bed(lab, cell);
    await untilListening(bed.server, lab.pod("server"), SERVER_PORT);
    await untilListening(bed.proxy, lab.pod("proxy"), PROXY_PORT);
    await bed.#redirect(cell);
    starting.move();
    return bed;
  }

  get proxyNamespace(): Namespace {
    return this.#proxyPod.namespace;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab[Symbol.asyncDispose]();
  }

  /** By the agent, as on any node, which goes on running. Without a backend there is none. */
  async #redirect({ mode: { backend, millrace } }: Cell): Promise<void> {
    if (backend === undefined) return;
    const node = this.#lab.node(1);
    node.applyNode();
    node.applyNamespace("istio-system");
    node.applyNamespace("client", { "istio.io/dataplane-mode": "ambient" });
    node.applyNamespace("server");
    for (const pod of node.pods) node.applyPod(pod);
    const agent = await Agent.start(node, {
      redirectMode: backend.name,
      backends: { [backend.name]: backend.config },
      ...(millrace !== undefined && { command: millrace }),
      settings: { log: { level: "info", format: "json" } },
    });
    await agent.untilActive(this.#proxyPod);
    await agent.untilEnrolled(this.client);
  }
}

function start(pod: LabPod, name: string, command: readonly string[]): Program {
  const [file = "", ...rest] = command;
  return pod.start(name, file, rest);
}

const untilListening = (program: Program, { namespace }: LabPod, port: number): Promise<void> =>
  program.until(`it listened on port ${port}`, async () => {
    return (await namespace.runChecked("ss", ["-Hltn", `sport = :${port}`])) !== "";
  });
