import type { ReduceConfig } from "@millrace/core/internal";
import type { WatcherLog } from "../log.ts";
import type { Sink, Watcher } from "../watcher.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";
import { ResourceWatch } from "./resource-watch.ts";
import type { WatchStatistics } from "./watch-statistics.ts";
import { watchedResources } from "./watched-resource.ts";

export interface KubernetesOptions {
  /** Stays open when the watcher is stopped: whoever made it closes it. */
  readonly api: KubernetesApi;
  /** Which labels the reduced objects keep. */
  readonly config: ReduceConfig;
  /** Name of this node. */
  readonly nodeName: string;
  readonly log: WatcherLog;
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
      const { api, config, nodeName, log, random = Math.random } = options;
      const { client, timing } = api;
      watches = watchedResources(nodeName).map(
        (resource) => new ResourceWatch({ resource, client, config, nodeName, sink, log, timing, random }),
      );
      const stop = new AbortController();
      const running = watches.map((watch) => watch.run(stop.signal));
      return {
        async [Symbol.asyncDispose]() {
          stop.abort();
          await Promise.all(running);
        },
      };
    },
  };
}
