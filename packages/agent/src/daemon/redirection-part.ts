import { setTimeout as sleep } from "node:timers/promises";
import { inputs, type Part, type Redirection } from "@millrace/core";
import { adviceFor } from "../advice.ts";
import { type Backends, loadBackends } from "../backends/backends.ts";
import { type EarlierRedirection, EarlierRedirections, takingOver } from "../backends/earlier-redirections.ts";
import { UsedBackends } from "../backends/used-backends.ts";
import type { Setup } from "../cli/settings-options.ts";
import { EXIT } from "../exit-codes.ts";
import { describeError } from "../logging/describe-error.ts";
import type { Logger } from "../logging/logger.ts";
import type { EnginePart } from "./engine-part.ts";
import { Started } from "./started.ts";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

interface Open {
  readonly backend: string;
  readonly redirection: Redirection;
  readonly earlier: EarlierRedirections;
}

/**
 * The backend that serves and its open redirection. Failures that waiting cannot mend (configuration, permissions, no capable
 * backend) end the start; any other is tried again with growing pauses until the agent is stopped, and shown in the status.
 */
export class RedirectionPart implements Part {
  readonly name = "redirection";
  readonly #setup: Setup;
  readonly #engine: EnginePart;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  readonly #open = new Started<Open>("the redirection");
  #problem: string | undefined = "no redirection is open yet";

  constructor(setup: Setup, engine: EnginePart, log: Logger, signal: AbortSignal) {
    this.#setup = setup;
    this.#engine = engine;
    this.#log = log;
    this.#signal = signal;
  }

  get redirection(): Redirection {
    return this.#open.value.redirection;
  }

  /** Name of the backend; undefined while nothing is open. */
  get backend(): string | undefined {
    return this.#open.running ? this.#open.value.backend : undefined;
  }

  /** What earlier runs left by other backends. */
  get earlier(): EarlierRedirections {
    return this.#open.value.earlier;
  }

  /** All of {@link earlier}; none while nothing is open. */
  get earlierAll(): readonly EarlierRedirection[] {
    return this.#open.running ? this.earlier.all : [];
  }

  /** Why nothing is open; undefined when all is well. */
  get problem(): string | undefined {
    return this.#problem;
  }

  async start(): Promise<void> {
    const backends = await loadBackends(this.#setup, this.#log, this.#signal);
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        await this.#openOne(backends);
        this.#problem = undefined;
        return;
      } catch (error) {
        if (adviceFor(error).exit !== EXIT.unexpected) throw error;
        const { code = "ERR_UNEXPECTED", message } = describeError(error);
        this.#problem = `${code}: ${message}`;
        this.#log.error({ err: error, pauseMs: pause }, "redirection cannot be opened, will be tried again");
        await sleep(pause, undefined, { signal: this.#signal });
      }
    }
  }

  /** Leaves the data path running. */
  async stop(): Promise<void> {
    this.#problem = "the agent is stopping";
    const open = this.#open.clear();
    await open?.earlier[Symbol.asyncDispose]();
    await open?.redirection[Symbol.asyncDispose]();
  }

  async #openOne(backends: Backends): Promise<void> {
    const { backend, selected } = await backends.select();
    this.#log.info({ backend: selected.backend, mode: selected.mode, reason: selected.reason }, "backend selected");
    await this.#engine.engine.submit(inputs.backendSelected(selected));
    const used = new UsedBackends(this.#setup.configuration.paths.journal);
    // First of all: while one of an earlier run cannot be taken away, nothing is laid over it.
    const earlier = await EarlierRedirections.open(backends, used, selected.backend);
    await using opened = new AsyncDisposableStack();
    opened.use(earlier);
    const redirection = opened.use(await backend.open());
    used.note(selected.backend); // opening has redirected nothing yet
    opened.move();
    this.#open.set({ backend: selected.backend, redirection: takingOver(redirection, earlier), earlier });
  }
}
