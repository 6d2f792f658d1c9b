import { type EventData, errorMessage, inputs } from "@millrace/core/internal";
import type { Link, Netns } from "linux-ts";
import type { Observable, Subscription } from "rxjs";
import type { WatcherLog } from "../log.ts";
import { askNode, type NodeNetns, openNodeNetns, viewNode } from "../netns/node-view.ts";
import { describePair, type VethPair } from "../netns/veth-pair.ts";
import { RefreshLoop } from "../refresh-loop.ts";
import type { Sink, Watcher } from "../watcher.ts";
import { type DiscoverySource, discover } from "./discover.ts";
import { beginPass, type DiscoveryPlaces } from "./discovery-pass.ts";
import type { WantedPod } from "./wanted-pod.ts";

export interface DiscoveryOptions extends NodeNetns, Partial<DiscoveryPlaces> {
  /** The pods that want an interface and have none: the whole set each time it changes, and at once on subscription. */
  readonly pods$: Observable<readonly WantedPod[]>;
  /** The index of each link that came or went: what was sought may be there now, and what was found may be gone. */
  readonly linkChanges$: Observable<number>;
  readonly log: WatcherLog;
  /** Pause after the first failure for a pod; doubles with each further one. Default 1 s. */
  readonly firstRetryMs?: number;
  /** Longest pause between two attempts for one pod. Default 60 s. */
  readonly maxRetryMs?: number;
  /** How long link changes are gathered before one look at all of them. Default 200 ms. */
  readonly settleMs?: number;
  /** How often interfaces that were found are checked although nothing was heard of them. Default 30 s. */
  readonly verifyMs?: number;
}

/** Where the runtimes keep their network namespaces: CNI runtimes and `ip netns`, then Docker. */
export const DEFAULT_NETNS_DIRECTORIES = ["/run/netns", "/var/run/docker/netns"] as const;

/**
 * Finds the interfaces of pods that CNI did not announce. Success is `interface.added` with the method as its source and
 * `discovered-<uid>` as container id, total failure is `discovery.failed`, once per distinct outcome, and is tried again. When the
 * namespace of an interface found here ends, `interface.removed` says so.
 */
export function discoveryWatcher(options: DiscoveryOptions): Watcher {
  return {
    name: "discovery",
    async start(sink: Sink): Promise<AsyncDisposable> {
      await using starting = new AsyncDisposableStack();
      const discovery = starting.use(new Discovery(openNodeNetns(options), options, sink));
      const subscribe = <T>(source$: Observable<T>, next: (value: T) => void): Subscription => {
        const error = (error: unknown) =>
          options.log.error({ error: errorMessage(error) }, "discovery lost one of its sources");
        return starting.adopt(source$.subscribe({ next, error }), (subscription) => subscription.unsubscribe());
      };
      subscribe(options.pods$, (pods) => discovery.want(pods));
      subscribe(options.linkChanges$, (index) => discovery.linkChanged(index));
      return starting.move();
    },
  };
}

/** More distinct outcomes than this for one pod say nothing new: only the log of the agent gets the rest. */
const MAX_REPORTED_OUTCOMES = 32;

interface Search {
  pod: WantedPod;
  /** Already announced, or waiting for addresses. */
  settled: boolean;
  dueAt: number;
  retryMs: number;
  readonly reported: Set<string>;
}

interface Found {
  readonly containerId: string;
  readonly host: Link;
}

class Discovery implements AsyncDisposable {
  readonly #netns: Netns;
  readonly #options: DiscoveryOptions;
  readonly #sink: Sink;
  readonly #places: DiscoveryPlaces;
  readonly #loop: RefreshLoop;
  readonly #searches = new Map<string, Search>();
  readonly #found = new Map<string, Found>();
  /** Links that changed since interfaces were verified. */
  readonly #changed = new Set<number>();
  /** When all interfaces that were found are verified again. */
  #verifyAt = 0;

  constructor(netns: Netns, options: DiscoveryOptions, sink: Sink) {
    this.#netns = netns;
    this.#options = options;
    this.#sink = sink;
    this.#places = {
      procfs: options.procfs ?? "/proc",
      netnsDirectories: options.netnsDirectories ?? DEFAULT_NETNS_DIRECTORIES,
    };
    this.#loop = new RefreshLoop({
      refresh: (signal) => this.#refresh(signal),
      onError: (error) => options.log.error({ error: errorMessage(error) }, "a pass of interface discovery failed"),
      retryMs: this.#firstRetryMs,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop[Symbol.asyncDispose]();
    this.#netns[Symbol.dispose]();
  }

  want(pods: readonly WantedPod[]): void {
    const wanted = new Map(pods.map((pod) => [pod.uid, pod]));
    for (const uid of this.#searches.keys()) if (!wanted.has(uid)) this.#searches.delete(uid);
    for (const pod of wanted.values()) {
      const search = this.#searches.get(pod.uid);
      if (search === undefined) this.#searches.set(pod.uid, this.#newSearch(pod));
      else if (String(search.pod.addresses) !== String(pod.addresses)) {
        search.pod = pod;
        search.dueAt = 0;
      }
    }
    this.#loop.within(0);
  }

  linkChanged(index: number): void {
    this.#changed.add(index);
    for (const search of this.#searches.values()) search.dueAt = 0;
    this.#loop.within(this.#options.settleMs ?? 200);
  }

  get #firstRetryMs(): number {
    return this.#options.firstRetryMs ?? 1000;
  }

  #newSearch(pod: WantedPod): Search {
    return { pod, settled: false, dueAt: 0, retryMs: this.#firstRetryMs, reported: new Set() };
  }

  async #refresh(signal: AbortSignal): Promise<number | undefined> {
    const pending = () =>
      [...this.#searches.values()].filter(({ settled, pod }) => !settled && pod.addresses.length > 0);
    this.#verify();
    const due = pending().filter(({ dueAt }) => dueAt <= performance.now());
    if (due.length > 0) await this.#search(due, signal);

    const retries = pending().map(({ dueAt }) => Math.max(0, dueAt - performance.now()));
    const verify = this.#found.size > 0 ? [Math.max(0, this.#verifyAt - performance.now())] : [];
    return retries.length + verify.length === 0 ? undefined : Math.min(...retries, ...verify);
  }

  /** The kernel takes a veth pair away with either end's namespace: a node end that is gone, or another, means the pod's end is gone too. */
  #verify(): void {
    const isDue = this.#verifyAt <= performance.now();
    const suspects = [...this.#found].filter(([, { host }]) => isDue || this.#changed.has(host.index));
    this.#changed.clear();
    if (isDue) this.#verifyAt = performance.now() + (this.#options.verifyMs ?? 30_000);
    if (suspects.length === 0) return;
    const node = isDue ? viewNode(this.#netns) : askNode(this.#netns);
    for (const [uid, { containerId, host }] of suspects) {
      const now = node.link(host.index);
      if (now?.kind === "veth" && now.peerIndex === host.peerIndex && now.peerNetnsId === host.peerNetnsId) continue;
      this.#found.delete(uid);
      const search = this.#searches.get(uid);
      if (search !== undefined) this.#searches.set(uid, this.#newSearch(search.pod));
      this.#sink(inputs.interfaceRemoved({ containerId, uid }));
    }
  }

  async #search(due: readonly Search[], signal: AbortSignal): Promise<void> {
    const unreadable = (path: string, reason: string) =>
      this.#options.log.debug({ path, reason }, "discovery passed over a network namespace");
    const pass = beginPass(this.#netns, this.#places, unreadable);
    for (const search of due) {
      const { pod } = search;
      if (this.#searches.get(pod.uid) !== search) continue;
      const result = await discover(pod, pass);
      signal.throwIfAborted();
      // The world went on while we looked: a pod that is no longer wanted, or has other addresses now, is not served from old news.
      if (this.#searches.get(pod.uid) !== search || search.pod !== pod) continue;
      if (result.found === undefined) this.#failed(search, result.attempts);
      else this.#succeeded(search, result.found, result.source);
    }
  }

  #succeeded(search: Search, found: VethPair, source: DiscoverySource): void {
    const { uid, namespace, name } = search.pod;
    const containerId = `discovered-${uid}`;
    search.settled = true;
    this.#found.set(uid, { containerId, host: found.host });
    this.#sink(inputs.interfaceAdded({ containerId, uid, namespace, name, ...describePair(found), source }));
  }

  #failed(search: Search, attempts: EventData["discovery.failed"]["attempts"]): void {
    search.dueAt = performance.now() + search.retryMs;
    search.retryMs = Math.min(search.retryMs * 2, this.#options.maxRetryMs ?? 60_000);
    const outcome = JSON.stringify(attempts);
    if (search.reported.has(outcome) || search.reported.size >= MAX_REPORTED_OUTCOMES) return;
    search.reported.add(outcome);
    this.#sink(inputs.discoveryFailed({ uid: search.pod.uid, attempts }));
  }
}
