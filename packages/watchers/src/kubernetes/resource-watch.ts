import { setTimeout as sleep } from "node:timers/promises";
import { errorCode, errorMessage, inputs, type ReduceConfig } from "@millrace/core/internal";
import type { WatcherLog } from "../log.ts";
import type { Sink } from "../watcher.ts";
import type { ApiClient } from "./api-client.ts";
import { ApiStatusError } from "./api-errors.ts";
import { listObjects } from "./list-objects.ts";
import { ObjectIntake } from "./object-intake.ts";
import { Pauses } from "./pauses.ts";
import { isQuiet, type Phase, type Recovery, recoveryFrom } from "./recovery.ts";
import type { ApiTiming } from "./timing.ts";
import { type WatchEvent, watchEvents } from "./watch-events.ts";
import { newCounters, type WatchStatistics } from "./watch-statistics.ts";
import type { WatchedResource } from "./watched-resource.ts";

export interface ResourceWatchOptions {
  readonly resource: WatchedResource;
  readonly client: ApiClient;
  readonly config: ReduceConfig;
  readonly nodeName: string;
  readonly sink: Sink;
  readonly log: WatcherLog;
  readonly timing: ApiTiming;
  /** In [0, 1). */
  readonly random: () => number;
}

/** One kind of object, kept up to date: rounds of a list, when one is needed, and a watch that goes on from there, for ever. */
export class ResourceWatch {
  readonly #options: ResourceWatchOptions;
  readonly #intake: ObjectIntake;
  readonly #pauses: Pauses;
  readonly #counters;
  /** The last version that we heard of; `0` is any that the API server has in its cache ("API Concepts", "Resource versions"). */
  #version = "0";
  #next: Recovery["from"] = "relist";
  #listedAt = 0;
  #phase: Phase = "list";
  #openedAt = 0;
  /** Rounds in a row in which no watch came to be open. */
  #blindRounds = 0;
  /** A list, or what came since the watch was resumed, shows that this server has seen our version. */
  #proven = false;
  #synced = false;
  /** The code for which it was said to be lost. */
  #lost: string | undefined;

  constructor(options: ResourceWatchOptions) {
    this.#options = options;
    this.#intake = new ObjectIntake(options);
    this.#pauses = new Pauses(options.timing, options.random);
    this.#counters = newCounters(options.resource.watch);
  }

  statistics(): WatchStatistics {
    const { errors, ...counters } = this.#counters;
    return { ...counters, objects: this.#intake.size, skipped: this.#intake.skipped, errors: { ...errors } };
  }

  /** Resolves once the signal is aborted and nothing is under way any more. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let failure: unknown;
      try {
        await this.#round(signal);
      } catch (error) {
        failure = error;
      }
      if (signal.aborted) break;
      const pause = this.#recover(failure);
      this.#counters.state = "waiting";
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
    this.#counters.state = "stopped";
  }

  async #round(signal: AbortSignal): Promise<void> {
    this.#counters.state = "connecting";
    const { relistMs } = this.#options.timing;
    if (this.#next !== "resume" || performance.now() - this.#listedAt > relistMs) {
      this.#phase = "list";
      this.#version = await this.#list(signal);
      this.#next = "resume";
      this.#proven = true;
      this.#listedAt = performance.now();
    }
    this.#phase = "open";
    await this.#watch(this.#version, signal);
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { resource, client, timing, log, nodeName } = this.#options;
    const version = await listObjects({
      client,
      resource,
      // Never back to before what we know: another API server's cache may lag behind.
      notOlderThan: this.#next === "newest" ? undefined : this.#version,
      idleMs: timing.answerMs,
      signal,
      onBegin: () => this.#intake.beginList(),
      onItems: (items) => {
        this.#heard();
        this.#intake.addPage(items);
      },
    });
    signal.throwIfAborted();
    this.#intake.endList();
    this.#counters.lists++;
    if (this.#intake.size === 0 && resource.whenEmpty !== undefined) log.warn({ nodeName }, resource.whenEmpty);
    return version;
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { resource, client, timing, random } = this.#options;
    const events = watchEvents({
      client,
      resource,
      resourceVersion,
      // So that the watches of all nodes, which a restart of the API server has begun together, do not end together.
      timeoutSeconds: Math.ceil((timing.watchMs * (1 - random() / 5)) / 1000),
      silenceMs: timing.silenceMs,
      signal,
      onOpen: () => this.#opened(),
    });
    for await (const event of events) {
      if (signal.aborted) return;
      this.#take(event);
    }
  }

  #opened(): void {
    this.#phase = "watching";
    this.#openedAt = performance.now();
    this.#blindRounds = 0;
    this.#counters.state = "watching";
    this.#counters.streams++;
    this.#heard();
    if (this.#synced) return;
    const { resource, sink, log } = this.#options;
    this.#synced = true;
    this.#lost = undefined;
    log.info({ watch: resource.watch, objects: this.#intake.size }, "watch is up to date");
    sink(inputs.watchSynced(resource.watch));
  }

  #take({ type, object, resourceVersion }: WatchEvent): void {
    this.#heard();
    this.#proven = true;
    this.#counters[type === "BOOKMARK" ? "bookmarks" : "events"]++;
    if (type === "DELETED") this.#intake.remove(object);
    else if (type !== "BOOKMARK") this.#intake.put(object);
    // Last: what could not be taken comes again.
    if (resourceVersion !== undefined) this.#version = resourceVersion;
  }

  #heard(): void {
    this.#counters.lastHeardAt = Date.now();
  }

  /** Decides how to go on, and after how many milliseconds. */
  #recover(failure: unknown): number {
    const { resource, log } = this.#options;
    const recovery = recoveryFrom(failure, this.#phase, this.#proven);
    // A watch that was quiet goes on where it was; after any other end the server may be another one.
    this.#proven &&= isQuiet(failure);
    if (recovery.from !== "resume") this.#next = recovery.from;
    if (this.#phase !== "watching") this.#blindRounds++;
    if (failure !== undefined) {
      const code = failure instanceof ApiStatusError ? `HTTP_${failure.status}` : errorCode(failure);
      const error = errorMessage(failure);
      this.#counters.errors[code] = (this.#counters.errors[code] ?? 0) + 1;
      log.debug({ watch: resource.watch, code, phase: this.#phase, error }, "watch has to begin again");
      if (recovery.lost || this.#blindRounds > 1) this.#sayLost(code, error);
    }
    return this.#pauses.after({
      watchedMs: this.#phase === "watching" ? performance.now() - this.#openedAt : 0,
      pause: recovery.pause,
      retryAfterMs: failure instanceof ApiStatusError ? failure.retryAfterMs : undefined,
    });
  }

  /** Once, and again for another kind of reason: an outage of hours must not fill the log with the words of every try. */
  #sayLost(code: string, reason: string): void {
    this.#synced = false;
    // What was missed while nobody looked is listed and not replayed: labels that were taken away and put back meanwhile were never
    // taken away from who acts on them now.
    if (this.#next === "resume") this.#next = "relist";
    if (this.#lost === code) return;
    this.#lost = code;
    const { resource, sink, log } = this.#options;
    log.warn({ watch: resource.watch, code, reason }, "watch is lost; what it told last stands until it is back");
    sink(inputs.watchLost(resource.watch, reason));
  }
}
