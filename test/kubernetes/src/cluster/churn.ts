import { setTimeout as sleep } from "node:timers/promises";
import { LabError, type LabPod } from "@millrace/conformance";
import { ClusterError } from "../errors.ts";
import type { Cluster } from "./cluster.ts";
import { nameOf, podName } from "./kubelet.ts";
import { expectCaptured } from "./packets.ts";

/** Longest that one step is tried for: the API server is away for some seconds at a time. */
const PATIENCE_MS = 120_000;
const PAUSE_MS = 250;
/** Of the lab's addresses, those that nobody else is given here. */
const FIRST_INDEX = 100;

/** Members that come and go as fast as the cluster lets them, whatever the API server does; each is captured from its first packet. */
export class Churn {
  readonly #cluster: Cluster;
  readonly #namespace: string;
  readonly #pods: LabPod[] = [];
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #made = 0;

  private constructor(cluster: Cluster, namespace: string) {
    this.#cluster = cluster;
    this.#namespace = namespace;
  }

  /** Makes `count` of them, then replaces the oldest, over and over. */
  static async start(cluster: Cluster, namespace: string, count: number): Promise<Churn> {
    const churn = new Churn(cluster, namespace);
    for (let index = 0; index < count; index++) await churn.#add(FIRST_INDEX + index);
    churn.#running = churn.#replace();
    // Told by stop().
    churn.#running.catch(() => undefined);
    return churn;
  }

  /** How many there have been so far. */
  get made(): number {
    return this.#made;
  }

  /** Those that are there now. */
  get pods(): readonly LabPod[] {
    return this.#pods;
  }

  /** Ends after the step that is under way. Rejects with what went wrong, if anything did. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #replace(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const oldest = this.#pods.shift();
      if (oldest === undefined) return;
      await this.#cluster.node.cni("DEL", oldest);
      await this.#cluster.node.removePod(oldest.name);
      await patiently(() => this.#cluster.api.delete(nameOf(oldest)).catch(gone));
      // Its addresses are used again at once.
      await this.#add(oldest.index);
    }
  }

  async #add(index: number): Promise<void> {
    const { kubelet, node, api } = this.#cluster;
    const options = { name: `churn-${this.#made++}`, namespace: this.#namespace, index };
    // The API server may go after it has acted and before it has said so.
    const made = (error: unknown) => {
      if (error instanceof ClusterError && error.status === 409) return api.get(podName(options));
      throw error;
    };
    const { uid } = (await patiently(() => kubelet.createObject(options).catch(made))).metadata;
    const pod = await node.addPod({ ...options, uid });
    await patiently(() => node.cni("ADD", pod));
    await expectCaptured(this.#cluster, pod);
    await patiently(() => kubelet.reportRunning(pod));
    this.#pods.push(pod);
  }
}

function gone(error: unknown): void {
  if (!(error instanceof ClusterError && error.status === 404)) throw error;
}

/** Tries again while the API server is away or the agent says "try again later", as the kubelet does. */
async function patiently<Result>(step: () => Promise<Result>): Promise<Result> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await step();
    } catch (error) {
      if (!isPassing(error) || performance.now() > deadline) throw error;
    }
    await sleep(PAUSE_MS);
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof ClusterError) return error.status === undefined || error.status >= 429;
  return error instanceof LabError && error.message.includes("code 11");
}
