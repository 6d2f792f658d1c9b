import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Configuration, EventInput, Part } from "@millrace/core/internal";
import {
  type CniAnswer,
  cniSocketWatcher,
  discoveryWatcher,
  type KubernetesWatcher,
  kubernetesWatcher,
  linksWatcher,
  manifestsWatcher,
  startWatchers,
  type Watcher,
  type WatchStatistics,
} from "@millrace/watchers";
import { filter, map, type Observable, Subject } from "rxjs";
import type { Logger } from "../logging/logger.ts";
import type { KernelView } from "../status/kernel-view.ts";
import type { ApiPart } from "./api-part.ts";
import { cniEngine } from "./cni-engine.ts";
import type { EnginePart } from "./engine-part.ts";
import type { ReconcilingPart } from "./reconciling-part.ts";
import { Started } from "./started.ts";
import { wantedPods } from "./wanted-pods.ts";

/** Everything the agent hears of the world by. Started last: what it says is decided and done at once. */
export class WatchersPart implements Part {
  readonly name = "watchers";
  readonly #configuration: Configuration;
  readonly #engine: EnginePart;
  readonly #reconciling: ReconcilingPart;
  readonly #view: KernelView;
  readonly #api: ApiPart;
  readonly #log: Logger;
  readonly #watching = new Started<AsyncDisposable>("the watchers");
  readonly #cniAnswers = new Subject<CniAnswer>();
  #kubernetes: KubernetesWatcher | undefined;

  constructor(
    configuration: Configuration,
    engine: EnginePart,
    reconciling: ReconcilingPart,
    view: KernelView,
    api: ApiPart,
    log: Logger,
  ) {
    this.#configuration = configuration;
    this.#engine = engine;
    this.#reconciling = reconciling;
    this.#view = view;
    this.#api = api;
    this.#log = log;
  }

  /** What the watches at the API server have done, one entry each; nothing where no cluster is watched. */
  get watchStatistics(): readonly WatchStatistics[] {
    return this.#kubernetes?.statistics() ?? [];
  }

  /** Every answer to the CNI plugin. */
  get cniAnswers$(): Observable<CniAnswer> {
    return this.#cniAnswers.asObservable();
  }

  /** All are watching, and the CNI socket is open. */
  get running(): boolean {
    return this.#watching.running;
  }

  async start(): Promise<void> {
    const { engine } = this.#engine;
    mkdirSync(dirname(this.#configuration.sockets.cni), { recursive: true, mode: 0o755 });
    // The engine logs what it refuses; a watcher has nothing to do about it.
    const sink = (input: EventInput) => void engine.submit(input);
    this.#watching.set(await startWatchers(this.#watchers(), sink));
  }

  async stop(): Promise<void> {
    await this.#watching.clear()?.[Symbol.asyncDispose]();
  }

  /** In the order of starting: the node's own facts, then what is wanted, then what is asked of us. */
  #watchers(): Watcher[] {
    const { sockets, manifests, kubernetes, node, cni, proxy, membership } = this.#configuration;
    const { engine } = this.#engine;
    const logOf = (watcher: string) => this.#log.child({ component: "watchers", watcher });
    this.#kubernetes = kubernetes.enabled ? this.#kubernetesWatcher(logOf("kubernetes")) : undefined;
    const linkChanges$ = engine.records$.pipe(
      filter((record) => record.type === "link.changed"),
      map(({ data }) => data.ifindex),
    );
    return [
      linksWatcher({ log: logOf("links") }),
      discoveryWatcher({ pods$: wantedPods(engine.state$), linkChanges$, log: logOf("discovery") }),
      ...(manifests.enabled
        ? [
            manifestsWatcher({
              directory: manifests.directory,
              config: { proxy, membership },
              nodeName: node.name,
              log: logOf("manifests"),
            }),
          ]
        : []),
      ...(this.#kubernetes === undefined ? [] : [this.#kubernetes]),
      cniSocketWatcher({
        path: sockets.cni,
        engine: cniEngine(this.#engine, this.#reconciling, this.#view),
        log: logOf("cni"),
        deadlineMs: cni.deadlineSeconds * 1000,
        onAnswer: (answer) => this.#cniAnswers.next(answer),
      }),
    ];
  }

  #kubernetesWatcher(log: Logger): KubernetesWatcher {
    const { node, proxy, membership } = this.#configuration;
    return kubernetesWatcher({ api: this.#api.api, config: { proxy, membership }, nodeName: node.name, log });
  }
}
