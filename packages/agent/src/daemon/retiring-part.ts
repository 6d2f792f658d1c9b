import { setTimeout as sleep } from "node:timers/promises";
import { notTakenOver, type Part, subjects } from "@millrace/core/internal";
import { describeError } from "../logging/describe-error.ts";
import type { Logger } from "../logging/logger.ts";
import type { EarlierStatus } from "../status/status-document.ts";
import type { EnginePart } from "./engine-part.ts";
import type { RedirectionPart } from "./redirection-part.ts";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Takes away what earlier runs left by other backends, each as soon as all that it redirects is redirected by the one that serves.
 * What fails is tried again with growing pauses, and shown in the status.
 */
export class RetiringPart implements Part {
  readonly name = "retiring";
  readonly #engine: EnginePart;
  readonly #redirection: RedirectionPart;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #problem: string | undefined;
  #done: Promise<void> = Promise.resolve();

  constructor(engine: EnginePart, redirection: RedirectionPart, log: Logger) {
    this.#engine = engine;
    this.#redirection = redirection;
    this.#log = log.child({ component: "retiring" });
  }

  /** What is still there, for the status. */
  status(): EarlierStatus[] {
    const { state } = this.#engine.engine;
    return this.#redirection.earlierAll.map(({ backend, observation }, index) => ({
      backend,
      waitsFor: notTakenOver(state, observation),
      ...(index === 0 && this.#problem !== undefined && { problem: this.#problem }),
    }));
  }

  start(): void {
    this.#done = this.#retireAll();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #retireAll(): Promise<void> {
    const { signal } = this.#stop;
    for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        while (!signal.aborted && this.#redirection.earlier.next !== undefined) await this.#retireNext(signal);
        return;
      } catch (error) {
        const { code = "ERR_UNEXPECTED", message } = describeError(error);
        this.#problem = `${code}: ${message}`;
        this.#log.error(
          { err: error, pauseMs: pause },
          "redirection of an earlier run's backend cannot be removed yet",
        );
        await sleep(pause, undefined, { signal }).catch(() => undefined); // told to stop: the loop ends
      }
    }
  }

  async #retireNext(signal: AbortSignal): Promise<void> {
    const { earlier } = this.#redirection;
    const { next } = earlier;
    if (next === undefined) return;
    const { observation } = next;
    this.#log.info(
      { backend: next.backend, workloads: observation.workloads.length },
      "redirection of an earlier run's backend stays until its members are taken over",
    );
    const isTakenOver = await this.#engine.engine.waitFor(
      (state) => notTakenOver(state, observation).length === 0 || undefined,
      signal,
    );
    if (isTakenOver === undefined) return;
    const proxies = this.#engine.engine.state.requested.get(subjects.proxies);
    await earlier.retireNext(this.#log, proxies?.action === "use-proxies" ? proxies.spec : { draining: [] });
    this.#problem = undefined;
  }
}
