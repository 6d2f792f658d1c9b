import type { EventInput } from "@millrace/core/internal";

/** Takes what a watcher saw. It stamps no time and gives no number: the agent's clock and event log do that. Never throws. */
export type Sink = (input: EventInput) => void;

/**
 * A source of events. Everything the agent knows about the world comes in through one of these.
 *
 * A watcher is level-triggered: it compares what is there with what it told before and hands the difference to the sink, so
 * a notification that was lost costs time and not truth. Watchers of Kubernetes-like objects say `watch.synced` after their
 * first complete look and `watch.lost` from when they can no longer see.
 *
 * The Kubernetes watcher (`src/kubernetes/`) and the manifests watcher (`src/manifests/`) hand raw objects to the same reducers of
 * `@millrace/core`, keep them in the same kind of set (`src/objects/`) and emit the same event types.
 */
export interface Watcher {
  /** Stable short name: the `watcher` field of its log lines. */
  readonly name: string;
  /**
   * Begins to watch. Resolves once it watches (not once it has seen everything); rejects, with nothing left open, when it
   * cannot. The sink may be called before this resolves and is not called any more once disposing the result has resolved.
   */
  start(sink: Sink): Promise<AsyncDisposable>;
}
