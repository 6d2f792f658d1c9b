import type { ReduceConfig } from "@millrace/core";
import type { WatcherLog } from "../log.ts";
import type { Sink, Watcher } from "../watcher.ts";
import { accessFrom, type LoadAccess } from "./api-access.ts";
import { ApiClient } from "./api-client.ts";
import { ApiTransport } from "./api-transport.ts";
import { ResourceWatch } from "./resource-watch.ts";
import { type ApiTiming, DEFAULT_TIMING } from "./timing.ts";
import type { WatchStatistics } from "./watch-statistics.ts";
import { watchedResources } from "./watched-resource.ts";

export interface KubernetesOptions {
  /** Absolute path of a kubeconfig file; default: the service account of the pod we run in. */
  readonly kubeconfig?: string | undefined;
  /** Which labels the reduced objects keep. */
  readonly config: ReduceConfig;
  /** Name of this node. */
  readonly nodeName: string;
  readonly log: WatcherLog;
  /** Waits that differ from {@link DEFAULT_TIMING}. */
  readonly timing?: Partial<ApiTiming>;
  /** How the API server is reached, instead of `kubeconfig`. */
  readonly access?: LoadAccess;
  /** In [0, 1): spreads pauses. Default `Math.random`. */
  readonly random?: () => number;
}

export interface KubernetesWatcher extends Watcher {
  /** One entry a watch, as of now; nothing before the start. */
  statistics(): readonly WatchStatistics[];
}

/**
 * Pods of this node, namespaces and the node, listed and watched at the API server. It never gives up and never fails the agent: whatever
 * the API server does, what was told last stands, `watch.lost` says that it may be old, and another try follows.
 */
export function kubernetesWatcher(options: KubernetesOptions): KubernetesWatcher {
  let watches: readonly ResourceWatch[] = [];
  return {
    name: "kubernetes",
    statistics: () => watches.map((watch) => watch.statistics()),
    async start(sink: Sink): Promise<AsyncDisposable> {
      const { kubeconfig, config, nodeName, log, random = Math.random } = options;
      const timing = { ...DEFAULT_TIMING, ...options.timing };
      const transport = new ApiTransport(timing);
      const client = new ApiClient(options.access ?? accessFrom({ kubeconfig }), transport, timing);
      watches = watchedResources(nodeName).map(
        (resource) => new ResourceWatch({ resource, client, config, nodeName, sink, log, timing, random }),
      );
      const stop = new AbortController();
      const running = watches.map((watch) => watch.run(stop.signal));
      return {
        async [Symbol.asyncDispose]() {
          stop.abort();
          transport[Symbol.dispose]();
          await Promise.all(running);
        },
      };
    },
  };
}
