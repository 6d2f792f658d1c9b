import { closeSync, openSync } from "node:fs";
import { inspect } from "node:util";
import type { Call, PluginLogger, Redirection, RedirectionBackend } from "../../backend/contract.ts";
import type { Plugin } from "../../backend/define-plugin.ts";
import { CoreError } from "../../errors.ts";
import type { IsolatedVerb } from "../deadlines.ts";
import { importPlugin } from "../load-plugin.ts";
import { failureOf, RemoteError } from "./failure.ts";
import { LogBudget } from "./log-budget.ts";
import type { FromPlugin, Level, PlaceByPath, ProcessContext, ToPlugin } from "./messages.ts";
import { optionalVerbs } from "./results.ts";

type Arguments = readonly unknown[];
type Handlers = { readonly [Verb in IsolatedVerb]: (args: Arguments, call: Call, id: number) => Promise<unknown> };

/** Runs one plugin as the agent asks for it: the inner side of the border. */
export class PluginRunner {
  readonly #send: (message: FromPlugin, sent?: () => void) => void;
  readonly #budget = new LogBudget();
  readonly #stopping = new AbortController();
  readonly #calls = new Map<number, AbortController>();
  readonly #asked = new Map<number, PromiseWithResolvers<void>>();
  #questions = 0;
  #plugin: Plugin | undefined;
  #backend: RedirectionBackend | undefined;
  #redirection: Redirection | undefined;

  /** `sent` is called when the message has left this process. */
  constructor(send: (message: FromPlugin, sent?: () => void) => void) {
    this.#send = send;
  }

  beat(): void {
    this.#send({ kind: "beat" });
  }

  crashed(error: unknown, told: () => void): void {
    this.#send({ kind: "crash", failure: failureOf(error) }, told);
  }

  /** Messages come from the agent that started this process. */
  receive(received: unknown): void {
    const message = received as ToPlugin;
    switch (message.kind) {
      case "call":
        void this.#answer(message);
        break;
      case "abort":
        this.#calls.get(message.id)?.abort(new RemoteError(message.reason));
        break;
      case "answer":
        if (message.failure === undefined) this.#asked.get(message.id)?.resolve();
        else this.#asked.get(message.id)?.reject(new RemoteError(message.failure));
        this.#asked.delete(message.id);
        break;
      case "stopping":
        this.#stopping.abort();
    }
  }

  async #answer({ id, verb, args, deadlineMs }: Extract<ToPlugin, { kind: "call" }>): Promise<void> {
    const abort = new AbortController();
    this.#calls.set(id, abort);
    try {
      const value = await this.#handlers[verb](args, { signal: abort.signal, deadlineMs }, id);
      this.#send({ kind: "result", id, value });
    } catch (error) {
      this.#send({ kind: "failure", id, failure: failureOf(error) });
    } finally {
      this.#calls.delete(id);
    }
  }

  readonly #handlers: Handlers = {
    load: async ([file, source]) => {
      const plugin = await importPlugin(file as string, source as string);
      this.#plugin = plugin;
      const { name, description, apiVersion } = plugin;
      return { name, description, apiVersion };
    },
    check: async ([config]) => {
      const parsed = await this.#loaded.config.safeParseAsync(config);
      return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => ({ path: path.map(asKey), message }));
    },
    create: async ([given]) => {
      const { config, policy, host } = given as ProcessContext;
      const parsed = await this.#loaded.config.parseAsync(config);
      const context = { config: parsed, policy, host, log: this.#logger, signal: this.#stopping.signal };
      this.#backend = this.#loaded.create(context);
      return typeof this.#backend.traces === "function" ? ["traces"] : [];
    },
    probe: (_, call) => this.#made.probe(call),
    traces: async ([places], call) => {
      using open = new DisposableStack();
      const namespaces = (places as readonly PlaceByPath[]).map(({ path, name }) => ({
        name,
        fd: path === undefined ? undefined : open.adopt(openSync(path, "r"), closeSync),
      }));
      return await this.#made.traces?.(namespaces, call);
    },
    open: async (_, call) => {
      const redirection = await this.#made.open(call);
      this.#redirection = redirection;
      return optionalVerbs.filter((verb) => typeof redirection[verb] === "function");
    },
    useProxies: ([proxies], call) => this.#open.useProxies(proxies as never, call),
    usedProxies: async (_, call) => this.#open.usedProxies?.(call),
    useNode: ([node], call) => this.#open.useNode(node as never, call),
    apply: ([workload], call) => this.#open.apply(workload as never, call),
    remove: ([uid], call) => this.#open.remove(uid as string, call),
    observe: (_, call) => this.#open.observe(call),
    observeWorkloads: async ([uids], call) => this.#open.observeWorkloads?.(uids as ReadonlySet<string>, call),
    explain: async ([flow], call) => this.#open.explain?.(flow as never, call),
    handOver: async ([uid], call, id) => this.#open.handOver?.(uid as string, () => this.#ask(id), call),
    carryOn: async ([uid], call) => this.#open.carryOn?.(uid as string, call),
    withdraw: async ([proxies], call) => this.#open.withdraw?.(proxies as never, call),
    uninstall: (_, call) => this.#open.uninstall(call),
    close: async () => {
      const redirection = this.#redirection;
      this.#redirection = undefined;
      await redirection?.[Symbol.asyncDispose](); // none in a process that was started for what is closed by now
    },
  };

  #ask(call: number): Promise<void> {
    this.#questions += 1;
    const id = this.#questions;
    const answer = Promise.withResolvers<void>();
    this.#asked.set(id, answer);
    this.#send({ kind: "ask", id, call });
    return answer.promise;
  }

  get #loaded(): Plugin {
    return required(this.#plugin, "loaded");
  }

  get #made(): RedirectionBackend {
    return required(this.#backend, "made");
  }

  get #open(): Redirection {
    return required(this.#redirection, "open");
  }

  #log(level: Level, fields: object, message: string): void {
    const leftOut = this.#budget.take();
    if (leftOut === undefined) return;
    const more = leftOut === 0 ? fields : { ...fields, linesLeftOut: leftOut };
    try {
      this.#send({ kind: "log", level, fields: more, message: String(message) });
    } catch {
      // Functions and the like cannot be copied; what they look like can.
      this.#send({ kind: "log", level, fields: { fields: inspect(fields, { depth: 3 }) }, message: String(message) });
    }
  }

  readonly #logger: PluginLogger = {
    debug: (fields, message) => this.#log("debug", fields, message),
    info: (fields, message) => this.#log("info", fields, message),
    warn: (fields, message) => this.#log("warn", fields, message),
    error: (fields, message) => this.#log("error", fields, message),
  };
}

const asKey = (key: PropertyKey): string | number => (typeof key === "symbol" ? String(key) : key);

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new CoreError("ERR_PLUGIN_PROCESS", `the plugin's process has none ${what}`);
  return value;
}
