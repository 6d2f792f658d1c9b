import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EventInput, ReduceConfig } from "@millrace/core/internal";
import { expect, vi } from "vitest";
import { KubernetesApi } from "../kubernetes/kubernetes-api.ts";
import { type KubernetesWatcher, kubernetesWatcher } from "../kubernetes/kubernetes-watcher.ts";
import type { ApiTiming } from "../kubernetes/timing.ts";
import { type Protocol, ScriptedApiServer } from "./api-server.test.kit.ts";
import { makeCertificate } from "./certificate.test.kit.ts";
import { Recorder, recordingLog } from "./recorder.test.kit.ts";

export const PODS = "/api/v1/pods";
export const NAMESPACES = "/api/v1/namespaces";
export const NODES = "/api/v1/nodes";

const config: ReduceConfig = {
  proxy: { labels: { app: "ztunnel" } },
  membership: { namespaceLabel: { key: "istio.io/dataplane-mode", value: "ambient" } },
};

/** Quick to try again, and slow to give up on anything: a busy machine must not look like a frozen API server. */
const TIMING: Partial<ApiTiming> = {
  away: { baseMs: 10, capMs: 60 },
  refused: { baseMs: 20, capMs: 120 },
  recoveredMs: 50,
};

const certificate = makeCertificate();

interface KubeconfigParts {
  readonly token?: string;
  readonly url?: string;
  /** PEM, one or several certificates. */
  readonly ca?: string;
  /** Laid over the `cluster`. */
  readonly more?: object;
}

/** A scripted API server with a namespace, a pod and a node, and a watcher that reaches it by a kubeconfig. */
export class WatchedCluster implements AsyncDisposable {
  readonly server: ScriptedApiServer;
  readonly recorder = new Recorder();
  readonly log = recordingLog();
  readonly kubeconfig: string;
  /** The server's own, PEM. */
  readonly certificate = certificate.cert;
  readonly #directory = mkdtempSync(join(tmpdir(), "mw-kubernetes-"));
  #watcher: KubernetesWatcher | undefined;
  #running: AsyncDisposable | undefined;

  private constructor(protocol: Protocol) {
    this.server = new ScriptedApiServer(certificate, protocol);
    this.kubeconfig = join(this.#directory, "kubeconfig");
  }

  static async create(protocol: Protocol = "h2"): Promise<WatchedCluster> {
    const made = new WatchedCluster(protocol);
    await made.server.start();
    made.server.cluster.namespace("shop");
    made.server.cluster.pod("a");
    made.server.cluster.node();
    made.writeKubeconfig({});
    return made;
  }

  writeKubeconfig({ token = "t1", url = this.server.url, ca = certificate.cert, more = {} }: KubeconfigParts): void {
    const secure = { "certificate-authority-data": Buffer.from(ca).toString("base64") };
    const trust = url.startsWith("https:") ? secure : { "insecure-skip-tls-verify": true };
    const cluster = { server: url, ...trust, ...more };
    writeFileSync(
      this.kubeconfig,
      JSON.stringify({
        clusters: [{ name: "c", cluster }],
        users: [{ name: "u", user: { token } }],
        contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
        "current-context": "x",
      }),
    );
  }

  async start(timing: Partial<ApiTiming> = {}): Promise<void> {
    const api = new KubernetesApi({ kubeconfig: this.kubeconfig, timing: { ...TIMING, ...timing } });
    this.#watcher = kubernetesWatcher({
      api,
      config,
      nodeName: "n1",
      log: this.log.log,
    });
    await using starting = new AsyncDisposableStack();
    starting.use(api);
    starting.use(await this.#watcher.start(this.recorder.sink));
    this.#running = starting.move();
  }

  /** Starts and waits for the three watches; forgets what was told and asked until then. */
  async synced(timing: Partial<ApiTiming> = {}): Promise<void> {
    await this.start(timing);
    await this.until(() => expect(this.recorder.of("watch.synced")).toHaveLength(3));
    this.forget();
  }

  forget(): void {
    this.recorder.events.length = 0;
    this.server.asked.length = 0;
  }

  /** What was told, without the watches. */
  story(): string[] {
    return this.recorder.events.filter(({ type }) => !type.startsWith("watch.")).map(inWords);
  }

  /** What was told of the watches. */
  watches(): string[] {
    return this.recorder.events.filter(({ type }) => type.startsWith("watch.")).map(inWords);
  }

  statistics(watch: string) {
    const found = this.#watcher?.statistics().find((one) => one.watch === watch);
    if (found === undefined) throw new Error(`no watch ${watch}`);
    return found;
  }

  until(check: () => void): Promise<void> {
    return vi.waitFor(check, { timeout: 20_000, interval: 10 });
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.server[Symbol.asyncDispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function inWords({ type, subject }: EventInput): string {
  return `${type} ${subject}`;
}
