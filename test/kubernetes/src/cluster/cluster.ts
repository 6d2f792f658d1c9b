import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  Agent,
  type AgentOptions,
  Haproxy,
  Lab,
  type LabHost,
  type LabNode,
  type PodOptions,
  proxyPod,
} from "@millrace/conformance";
import type { Rendering } from "@millrace/deploy";
import type { ApiClient } from "../control-plane/api-client.ts";
import { ControlPlane } from "../control-plane/control-plane.ts";
import { ClusterError } from "../errors.ts";
import { AgentAccount } from "./agent-account.ts";
import { Kubelet } from "./kubelet.ts";
import { makeNamespace } from "./make-namespace.ts";

/** What the server outside listens on. */
export const SERVER_PORT = 8080;
/** Another one. */
export const OTHER_PORT = 8081;

export interface ClusterOptions {
  /** Further flags of kube-apiserver. */
  readonly flags?: readonly string[];
  /** How the chart is rendered. */
  readonly chart?: Rendering;
}

/**
 * A node of the lab in a cluster: a control plane on a host of its own, the chart applied to it, and HAProxy as node proxy in the pod `z1`.
 * All of it goes with the lab.
 */
export class Cluster implements AsyncDisposable {
  readonly lab: Lab;
  readonly controlPlane: ControlPlane;
  readonly kubelet: Kubelet;
  readonly account: AgentAccount;
  #proxy: Haproxy;
  #agent: Agent | undefined;

  private constructor(lab: Lab, controlPlane: ControlPlane, kubelet: Kubelet, account: AgentAccount, proxy: Haproxy) {
    this.lab = lab;
    this.controlPlane = controlPlane;
    this.kubelet = kubelet;
    this.account = account;
    this.#proxy = proxy;
  }

  static async create({ flags = [], chart = {} }: ClusterOptions = {}): Promise<Cluster> {
    await using undo = new AsyncDisposableStack();
    const lab = undo.use(await Lab.create({ prefix: "mk", nodes: [{}], externals: ["cp", "world"] }));
    const [node, host] = [lab.node(1), lab.external("cp")];
    const directory = join(node.paths.root, "control-plane");
    const controlPlane = undo.use(await ControlPlane.start(host, directory, flags));
    const { api } = controlPlane;
    await registerNode(api, node);
    const credentials = join(node.paths.root, "service-account");
    mkdirSync(credentials);
    const url = controlPlane.apiServer.url;
    const ca = controlPlane.certificates.ca.certificate;
    const account = await AgentAccount.create(api, { nodeName: node.name, directory: credentials, url, ca }, chart);

    const kubelet = new Kubelet(node, api);
    await makeNamespace(api, "istio-system");
    const proxy = await Haproxy.start(await kubelet.runPod(proxyPod({ name: "z1" })), { directory: node.paths.root });
    await (await lab.external("world").endpoint()).listen(SERVER_PORT, OTHER_PORT);
    undo.move();
    return new Cluster(lab, controlPlane, kubelet, account, proxy);
  }

  get node(): LabNode {
    return this.lab.node(1);
  }

  /** The host of the control plane. */
  get host(): LabHost {
    return this.lab.external("cp");
  }

  /** A host outside of the cluster; it serves on {@link SERVER_PORT}. */
  get world(): LabHost {
    return this.lab.external("world");
  }

  get api(): ApiClient {
    return this.controlPlane.api;
  }

  /** HAProxy in the pod `z1`, or in whichever {@link startProxy} made. */
  get proxy(): Haproxy {
    return this.#proxy;
  }

  /** A node proxy in place of the one before, whose pod is gone. */
  async startProxy(options: PodOptions): Promise<void> {
    this.#proxy = await Haproxy.start(await this.kubelet.runPod(options), { directory: this.node.paths.root });
  }

  get agent(): Agent {
    if (this.#agent === undefined) throw new ClusterError("ERR_NOT_STARTED", "the agent was not started");
    return this.#agent;
  }

  /** Starts `millrace agent` with the chart's account, without waiting for what it finds. */
  async startAgent({ settings = {}, ...options }: AgentOptions = {}): Promise<Agent> {
    this.#agent = await Agent.start(this.node, {
      redirectMode: "ebpf",
      ...options,
      settings: {
        manifests: { enabled: false },
        kubernetes: { enabled: true, kubeconfig: this.account.kubeconfig },
        ...settings,
      },
    });
    return this.#agent;
  }

  /** The same, and waits until it has seen the cluster and the proxy is active. */
  async readyAgent(options: AgentOptions = {}): Promise<Agent> {
    const agent = await this.startAgent(options);
    await agent.untilActive(this.proxy.pod);
    return agent;
  }

  async addNamespace(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    await makeNamespace(this.api, name, labels);
  }

  /** `null` takes a label away. */
  async labelNamespace(name: string, labels: Readonly<Record<string, string | null>>): Promise<void> {
    await this.api.patch({ apiVersion: "v1", kind: "Namespace", metadata: { name } }, { metadata: { labels } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.controlPlane[Symbol.dispose]();
    await this.lab[Symbol.asyncDispose]();
  }
}

/** As the kubelet does when it starts. */
async function registerNode(api: ApiClient, { name, addresses }: LabNode): Promise<void> {
  const node = await api.create({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/os": "linux" } },
  });
  const status = {
    addresses: [
      { type: "InternalIP", address: addresses[4] },
      { type: "InternalIP", address: addresses[6] },
      { type: "Hostname", address: name },
    ],
    conditions: [{ type: "Ready", status: "True" }],
  };
  await api.patch({ apiVersion: "v1", kind: "Node", metadata: node.metadata }, { status }, { subresource: "status" });
}
