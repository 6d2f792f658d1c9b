import { setTimeout as sleep } from "node:timers/promises";
import type { Probe, Redirection, RedirectionBackend, RedirectionPlan, WantedRedirection } from "@millrace/core";
import { inputs, namedPlugin, type Part, type Selection } from "@millrace/core/internal";
import { adviceFor } from "../advice.ts";
import { type Backends, loadBackends } from "../backends/backends.ts";
import {
  type EarlierRedirection,
  EarlierRedirections,
  openEarlier,
  takingOver,
} from "../backends/earlier-redirections.ts";
import type { PluginTrouble } from "../backends/plugin-troubles.ts";
import { proxiesInUse } from "../backends/proxies-in-use.ts";
import { SwitchingRedirection } from "../backends/switching-redirection.ts";
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
  readonly redirection: SwitchingRedirection;
  readonly backends: Backends;
  readonly earlier: EarlierRedirections;
  readonly next: string | undefined;
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
  #backends: Backends | undefined;
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
    return this.#open.running ? this.#open.value.redirection.serving : undefined;
  }

  /** The redirection of one backend, where it is open. */
  redirectionBy(backend: string): Redirection | undefined {
    return this.#open.running ? this.#open.value.redirection.by(backend) : undefined;
  }

  /** Backends of which only what open connections need is left. */
  get standby(): readonly string[] {
    return this.#open.running ? this.#open.value.redirection.standby : [];
  }

  /** The one that this mode means here. Throws `ERR_REDIRECT_MODE_UNKNOWN`, `ERR_NO_CAPABLE_BACKEND`. */
  async backendOf(mode: string): Promise<string> {
    return (await this.#open.value.backends.select(mode)).selected.backend;
  }

  /** What that backend says of this host. Throws `ERR_REDIRECT_MODE_UNKNOWN`, `ERR_NO_CAPABLE_BACKEND`. */
  async requireCapable(backend: string): Promise<string> {
    return (await this.#open.value.backends.select(backend)).probe.summary;
  }

  /** All that are installed and can be made, in the order in which `auto` prefers them. */
  backends(): { readonly name: string; readonly backend: RedirectionBackend }[] {
    const { backends } = this.#open.value;
    return backends.plugins.flatMap((plugin) => {
      try {
        return [{ name: plugin.name, backend: backends.create(plugin) }];
      } catch (error) {
        this.#log.debug({ err: error, backend: plugin.name }, "backend cannot be made");
        return [];
      }
    });
  }

  /** What that backend finds out about this host. Throws `ERR_REDIRECT_MODE_UNKNOWN`. */
  probeOf(name: string): Promise<Probe> {
    return this.#named(name).probe();
  }

  /**
   * What that backend would write here for all of this; undefined where it cannot tell. Asks for no probe, which takes its time. Throws
   * `ERR_REDIRECT_MODE_UNKNOWN`, and as planning does.
   */
  async planOf(name: string, wanted: WantedRedirection): Promise<RedirectionPlan | undefined> {
    return this.#named(name).plan?.(wanted);
  }

  /** The backend that the configured mode means, where another one has begun to serve because it did so before. */
  get next(): string | undefined {
    return this.#open.value.next;
  }

  /** What earlier runs left by other backends. */
  get earlier(): EarlierRedirections {
    return this.#open.value.earlier;
  }

  /** All of {@link earlier}; none while nothing is open. */
  get earlierAll(): readonly EarlierRedirection[] {
    return this.#open.running ? this.earlier.all : [];
  }

  /** What went wrong with plugins since the start. */
  get pluginTroubles(): readonly PluginTrouble[] {
    return this.#backends?.troubles.all ?? [];
  }

  /** Why nothing is open; undefined when all is well. */
  get problem(): string | undefined {
    return this.#problem;
  }

  async start(): Promise<void> {
    const backends = await loadBackends(this.#setup, this.#log, this.#signal);
    this.#backends = backends;
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

  #named(name: string): RedirectionBackend {
    const { backends } = this.#open.value;
    return backends.create(namedPlugin(name, backends.plugins));
  }

  async #openOne(backends: Backends): Promise<void> {
    const used = new UsedBackends(this.#setup.configuration.paths.journal);
    const { selection, next } = await this.#choose(backends, used);
    const { backend, selected } = selection;
    const { engine } = this.#engine;
    this.#log.info({ backend: selected.backend, mode: selected.mode, reason: selected.reason }, "backend selected");
    await engine.submit(inputs.backendSelected(selected));
    const { switch: current } = engine.state;
    // First of all: while one of an earlier run cannot be taken away, nothing is laid over it.
    const earlier = await EarlierRedirections.open(backends, used, [
      selected.backend,
      next,
      current?.home,
      current?.away,
    ]);
    await using opened = new AsyncDisposableStack();
    opened.use(earlier);
    const redirection = opened.use(
      await used.noted(selected.backend, () =>
        next === undefined ? backend.open() : openEarlier(selected.backend, backends.plugins, backends.create, next),
      ),
    );
    await engine.submit(
      inputs.proxiesFound(await proxiesInUse([redirection, ...earlier.all.map((one) => one.redirection)])),
    );
    const switching = new SwitchingRedirection({
      serving: selected.backend,
      redirection: takingOver(redirection, earlier),
      open: async (name) => (await backends.select(name)).backend.open(),
      used,
      log: this.#log.child({ component: "switch" }),
    });
    opened.move();
    this.#open.set({ redirection: switching, backends, earlier, next });
  }

  /**
   * Which backend begins to serve, and which one it is switched to then. In the middle of a switch it is the one that served when that began; after one, the
   * one it led to, as long as the mode is configured as it was then. Where the one before served with another mode, and is able to, it begins.
   */
  async #choose(backends: Backends, used: UsedBackends): Promise<{ selection: Selection; next?: string }> {
    const { redirectMode } = this.#setup.configuration;
    const { switch: current, switched, requested } = this.#engine.engine.state;
    const goOn = async (backend: string, reason: string): Promise<Selection> => {
      const selection = await backends.select(backend);
      return { ...selection, selected: { ...selection.selected, mode: redirectMode, reason } };
    };
    if (current !== undefined) {
      const selection = await goOn(current.home, "a switch is under way");
      if (current.mode === redirectMode) return { selection };
      const { backend } = (await backends.select()).selected;
      return { selection, ...([current.home, current.away].includes(backend) && { next: backend }) };
    }
    try {
      if (switched?.mode === redirectMode && switched.failure === undefined) {
        return { selection: await goOn(switched.backend, `switched to on ${switched.time}`) };
      }
    } catch (error) {
      this.#log.warn({ err: error, backend: switched?.backend }, "what was switched to cannot serve any more");
    }
    const selection = await backends.select();
    const wanted = selection.selected.backend;
    const before = used.names().filter((name) => name !== wanted);
    const [last] = before;
    // One that dies in taking over leaves both backends in use, and no switch that had led to either. Its log may not have all members of the former one:
    // a switch, which ends when those of the log are over, would withdraw it with the others in it.
    const wasTakingOver = used.names().includes(wanted) && switched?.backend !== last;
    // Without its own memory of what is enrolled an agent takes over what it finds, by the other way.
    if (last === undefined || before.length > 1 || requested.isEmpty() || wasTakingOver) return { selection };
    try {
      return { selection: await goOn(last, `served with another redirectMode; ${wanted} takes over`), next: wanted };
    } catch (error) {
      this.#log.warn({ err: error, backend: last }, "what served before cannot hand over");
      return { selection };
    }
  }
}
