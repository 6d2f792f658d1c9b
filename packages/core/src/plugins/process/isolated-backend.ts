import { setTimeout as sleep } from "node:timers/promises";
import type {
  Call,
  NodeFacts,
  PluginContext,
  Proxies,
  Redirection,
  RedirectionBackend,
} from "../../backend/contract.ts";
import type { NamespacePlace } from "../../backend/traces.ts";
import { type Backoff, backoffDelay } from "../../queue/backoff.ts";
import { DEADLINES_MS } from "../deadlines.ts";
import type { PlaceByPath, ProcessContext } from "./messages.ts";
import type { PluginProcess } from "./plugin-process.ts";
import type { optionalVerbs } from "./results.ts";

const RESTARTS: Backoff = { baseMs: 500, capMs: 60_000 };
/** A process that has lived this long does not count among those that ended one after the other. */
const LONG_MS = 120_000;
/** How long a process is kept that nobody needs at the moment. */
export const LINGER_MS = 5_000;

/** A call that nobody else has given a deadline. */
const ownCall = (deadlineMs: number = DEADLINES_MS.open): Call => ({
  signal: AbortSignal.timeout(deadlineMs),
  deadlineMs,
});

export interface IsolatedBackendOptions {
  /** Starts a process that has loaded the plugin. */
  readonly start: () => Promise<PluginProcess>;
  readonly context: PluginContext<unknown>;
  /** A process that was needed has ended. */
  readonly ended: (reason: string) => void;
}

type Verbs = ReadonlySet<(typeof optionalVerbs)[number]>;

/**
 * A backend whose plugin runs in a process of its own. There is one while something is asked for and while a redirection is open; one that ends is
 * replaced, later and later when that happens again and again. A new one opens what is in the kernel, and is told anew of the node and of its proxies:
 * what was applied is there already.
 */
export class IsolatedBackend implements RedirectionBackend {
  readonly #options: IsolatedBackendOptions;
  #running: Promise<PluginProcess> | undefined;
  /** Calls that use it now. */
  #users = 0;
  #isOpen = false;
  #letting: NodeJS.Timeout | undefined;
  #proxies: Proxies | undefined;
  #node: NodeFacts | undefined;
  /** Processes that ended one after the other, and when the next may start. */
  #deaths = 0;
  #notBefore = 0;

  constructor(options: IsolatedBackendOptions) {
    this.#options = options;
  }

  probe(call: Call = ownCall()) {
    return this.#use(call, (process) => process.call("probe", [], call));
  }

  async traces(namespaces: readonly NamespacePlace[], call: Call = ownCall()) {
    // While the call lasts they are open here, and can be opened there by what refers to them.
    const places = namespaces.map(
      ({ fd, name }): PlaceByPath => ({ name, path: fd === undefined ? undefined : `/proc/${process.pid}/fd/${fd}` }),
    );
    return this.#use(call, (process) => process.call("traces", [places], call));
  }

  async open(call: Call = ownCall()): Promise<Redirection> {
    this.#proxies = undefined;
    this.#node = undefined;
    const verbs = await this.#use(call, async (process) => {
      const found = await process.call("open", [], call);
      this.#isOpen = true;
      return found;
    });
    return this.#redirection(new Set(verbs));
  }

  #redirection(verbs: Verbs): Redirection {
    const use = this.#use.bind(this);
    const optional: Required<Pick<Redirection, (typeof optionalVerbs)[number]>> = {
      usedProxies: (call = ownCall()) => use(call, (process) => process.call("usedProxies", [], call)),
      observeWorkloads: (uids, call = ownCall()) =>
        use(call, (process) => process.call("observeWorkloads", [uids], call)),
      explain: (flow, call = ownCall()) => use(call, (process) => process.call("explain", [flow], call)),
      handOver: (uid, carryOn, call = ownCall()) =>
        use(call, (process) => process.call("handOver", [uid], call, carryOn)),
      carryOn: (uid, call = ownCall()) => use(call, (process) => process.call("carryOn", [uid], call)),
      withdraw: (proxies, call = ownCall()) => use(call, (process) => process.call("withdraw", [proxies], call)),
    };
    const present = Object.entries(optional).filter(([verb]) => verbs.has(verb as keyof typeof optional));
    return {
      ...(Object.fromEntries(present) as Partial<typeof optional>),
      useProxies: (proxies, call = ownCall()) =>
        use(call, async (process) => {
          await process.call("useProxies", [proxies], call);
          this.#proxies = proxies;
        }),
      useNode: (node, call = ownCall()) =>
        use(call, async (process) => {
          await process.call("useNode", [node], call);
          this.#node = node;
        }),
      apply: (workload, call = ownCall()) => use(call, (process) => process.call("apply", [workload], call)),
      remove: (uid, call = ownCall()) => use(call, (process) => process.call("remove", [uid], call)),
      observe: (call = ownCall()) => use(call, (process) => process.call("observe", [], call)),
      uninstall: (call = ownCall()) => use(call, (process) => process.call("uninstall", [], call)),
      [Symbol.asyncDispose]: () => this.#close(),
    };
  }

  /** Nothing is started to be closed, and what has ended is closed. */
  async #close(): Promise<void> {
    const running = this.#running;
    this.#isOpen = false;
    const process = await running?.catch(() => undefined); // why it could not start was told to who asked for it
    try {
      if (process?.isUsable) await process.call("close", [], ownCall(DEADLINES_MS.close / 2));
    } catch (error) {
      if (process?.isUsable) throw error;
    } finally {
      this.#letGo(0);
    }
  }

  async #use<T>(call: Call, work: (process: PluginProcess) => Promise<T>): Promise<T> {
    this.#users += 1;
    clearTimeout(this.#letting);
    try {
      return await work(await this.#process(call));
    } finally {
      this.#users -= 1;
      this.#letGo();
    }
  }

  /** The process of those who use it; without any, there is none: a moment later, because a node that starts asks for one thing after the other. */
  #letGo(afterMs = LINGER_MS): void {
    if (this.#users > 0 || this.#isOpen) return;
    clearTimeout(this.#letting);
    this.#letting = setTimeout(() => {
      const running = this.#running;
      this.#running = undefined;
      running?.then(
        (process) => process.end("it is not needed any more"),
        () => undefined, // told to who asked for it
      );
    }, afterMs);
    if (afterMs > 0) this.#letting.unref();
  }

  async #process(call: Call): Promise<PluginProcess> {
    for (;;) {
      this.#running ??= this.#begin(call);
      const running = this.#running;
      try {
        const process = await running;
        if (process.isUsable) return process;
      } catch (error) {
        if (this.#running === running) this.#running = undefined;
        throw error;
      }
      if (this.#running === running) this.#running = undefined;
    }
  }

  async #begin(call: Call): Promise<PluginProcess> {
    const { start, context } = this.#options;
    const pause = this.#notBefore - performance.now();
    if (pause > 0) await sleep(pause, undefined, { signal: call.signal });
    const begun = performance.now();
    const process = await start();
    try {
      const { config, policy, host, signal } = context;
      await process.call("create", [{ config, policy, host } satisfies ProcessContext], call);
      const stopping = () => process.stopping();
      signal.addEventListener("abort", stopping, { once: true });
      void process.ended.then((reason) => {
        signal.removeEventListener("abort", stopping);
        this.#hasEnded(process, reason, performance.now() - begun);
      });
      if (this.#isOpen) await this.#reopen(process, call);
      return process;
    } catch (error) {
      process.end("it could not begin");
      throw error;
    }
  }

  async #reopen(process: PluginProcess, call: Call): Promise<void> {
    await process.call("open", [], call);
    if (this.#node !== undefined) await process.call("useNode", [this.#node], call);
    if (this.#proxies !== undefined) await process.call("useProxies", [this.#proxies], call);
  }

  #hasEnded(process: PluginProcess, reason: string, livedMs: number): void {
    if (this.#users === 0 && !this.#isOpen) return;
    this.#deaths = livedMs > LONG_MS ? 1 : this.#deaths + 1;
    this.#notBefore = performance.now() + backoffDelay(RESTARTS, this.#deaths, 1);
    const { context, ended } = this.#options;
    context.log.error({ pid: process.pid, reason, deaths: this.#deaths }, "the process of a plugin has ended");
    ended(reason);
    if (!this.#isOpen || context.signal.aborted) return;
    // Whatever it does beside its verbs goes on.
    this.#use(ownCall(), async () => undefined).catch((error: unknown) =>
      context.log.error(
        { error: String(error) },
        "the process of a plugin was not started again, and is when it is needed",
      ),
    );
  }
}
