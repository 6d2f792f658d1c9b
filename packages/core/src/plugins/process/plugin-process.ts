import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Call } from "../../backend/contract.ts";
import { CoreError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import type { IsolatedVerb } from "../deadlines.ts";
import { failureOf, RemoteError } from "./failure.ts";
import { LogBudget } from "./log-budget.ts";
import type { Failure, FromPlugin, ToPlugin } from "./messages.ts";
import { relayOutput } from "./relay-output.ts";
import { checkedResult, type Result } from "./results.ts";

/** The module next to this one, in the form this one has: TypeScript in the sources, JavaScript when built. */
const CHILD = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "./child.ts" : "./child.js", import.meta.url));

/**
 * The kernel kills it when the agent ends, however that ends and whatever it does itself (setpriv(1); prctl(2), PR_SET_PDEATHSIG). Its heap is
 * bounded: what leaks ends itself.
 */
const COMMAND = ["setpriv", "--pdeathsig", "KILL", "--", process.execPath, "--max-old-space-size=256"] as const;

export interface Patience {
  /** How long a plugin's event loop may stand still, in milliseconds. */
  readonly silenceMs: number;
  /** How long a call may go on that was told to stop. */
  readonly graceMs: number;
}

const LAST_WORDS_MS = 500;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly asked: (() => Promise<void>) | undefined;
}

/** One process of a plugin, from its start to its end: the outer side of the border. */
export class PluginProcess {
  readonly #child: ChildProcess;
  readonly #log: Logger;
  readonly #patience: Patience;
  readonly #budget = new LogBudget();
  readonly #pending = new Map<number, Pending>();
  readonly #ended = Promise.withResolvers<string>();
  #calls = 0;
  /** Why it ends, as soon as that is known. */
  #reason: string | undefined;
  #isOver = false;

  /** `log`: what carries the plugin's name. */
  constructor(log: Logger, patience: Patience) {
    this.#log = log;
    this.#patience = patience;
    const [file, ...args] = COMMAND;
    const conditions = process.execArgv.filter((argument) => /^--conditions?=/.test(argument));
    this.#child = spawn(file, [...args, ...conditions, CHILD], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "advanced",
    });
    this.#watch();
    relayOutput(this.#child, (line) => this.#relay("info", { line }, "output of a plugin"));
    this.#child.on("message", (message) => this.#receive(message as FromPlugin));
    this.#child.once("error", (error) => this.#over(`it cannot be started: ${error.message}`));
    this.#child.once("exit", (code, signal) => {
      const over = () => this.#over(`it ended with ${signal ?? `exit code ${code}`}`);
      // Why it ended is known, or its last words may still be in the channel.
      if (this.#reason !== undefined) return over();
      if (this.#child.connected) this.#child.once("disconnect", over);
      setTimeout(over, LAST_WORDS_MS);
    });
    this.#unref();
  }

  /** Why it has ended; pending until then. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** False as soon as it is known that it ends. */
  get isUsable(): boolean {
    return !this.#isOver && this.#reason === undefined;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** `asked`: what a call may ask for in the middle. Throws what the plugin threw, ERR_PLUGIN_RESULT, ERR_PLUGIN_PROCESS. */
  async call<Verb extends IsolatedVerb>(
    verb: Verb,
    args: readonly unknown[],
    { signal, deadlineMs }: Call,
    asked?: () => Promise<void>,
  ): Promise<Result<Verb>> {
    signal.throwIfAborted();
    if (!this.isUsable) throw this.#gone();
    this.#calls += 1;
    const id = this.#calls;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve, reject, asked });
    this.#ref();
    let grace: NodeJS.Timeout | undefined;
    const abort = () => {
      this.#send({ kind: "abort", id, reason: failureOf(signal.reason) });
      grace = setTimeout(() => this.end(`${verb} went on after its deadline`), this.#patience.graceMs);
    };
    signal.addEventListener("abort", abort, { once: true });
    try {
      this.#send({ kind: "call", id, verb, args, deadlineMs });
      return checkedResult(verb, await promise);
    } catch (error) {
      // Why it was told to stop says more than that it did, or that its process was ended.
      throw signal.aborted ? signal.reason : error;
    } finally {
      clearTimeout(grace);
      signal.removeEventListener("abort", abort);
      this.#pending.delete(id);
      if (this.#pending.size === 0) this.#unref();
    }
  }

  /** The agent stops. */
  stopping(): void {
    this.#send({ kind: "stopping" });
  }

  /** Ends it at once. What it has in the kernel stays. */
  end(reason: string): void {
    this.#reason ??= reason;
    this.#child.kill("SIGKILL");
  }

  #receive(message: FromPlugin): void {
    switch (message.kind) {
      case "result":
        this.#pending.get(message.id)?.resolve(message.value);
        break;
      case "failure":
        this.#pending.get(message.id)?.reject(new RemoteError(message.failure));
        break;
      case "ask":
        void this.#answer(message);
        break;
      case "log":
        this.#relay(message.level, message.fields, message.message);
        break;
      case "crash":
        this.#reason ??= `it threw what nobody caught: ${message.failure.message}`;
    }
  }

  async #answer({ id, call }: { readonly id: number; readonly call: number }): Promise<void> {
    let failure: Failure | undefined;
    try {
      await this.#pending.get(call)?.asked?.();
    } catch (error) {
      failure = failureOf(error);
    }
    this.#send({ kind: "answer", id, ...(failure && { failure }) });
  }

  #relay(level: "debug" | "info" | "warn" | "error", fields: object, message: string): void {
    const leftOut = this.#budget.take();
    if (leftOut !== undefined) this.#log[level](leftOut === 0 ? fields : { ...fields, linesLeftOut: leftOut }, message);
  }

  /** Counted in turns of our own event loop: while we stood still ourselves, nothing could be heard. */
  #watch(): void {
    const turns = 20;
    let silent = Number.NEGATIVE_INFINITY; // until it has said its first word: starting is a matter of the deadline
    this.#child.on("message", () => {
      silent = 0;
    });
    const timer = setInterval(() => {
      silent += 1;
      if (silent > turns) this.end(`its event loop has stood still for ${this.#patience.silenceMs} ms`);
    }, this.#patience.silenceMs / turns);
    timer.unref();
    void this.ended.then(() => clearInterval(timer));
  }

  #send(message: ToPlugin): void {
    // Whether it arrives is told by what comes back, or by the end of the process.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #over(how: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reason ??= how;
    for (const { reject } of this.#pending.values()) reject(this.#gone());
    this.#ended.resolve(this.#reason);
  }

  #gone(): CoreError {
    return new CoreError("ERR_PLUGIN_PROCESS", `the plugin's process has ended: ${this.#reason}`);
  }

  /** It keeps a command running while it is asked for something, and not longer. */
  #ref(): void {
    this.#child.ref();
    this.#child.channel?.ref();
  }

  #unref(): void {
    this.#child.unref();
    this.#child.channel?.unref();
    for (const stream of [this.#child.stdout, this.#child.stderr]) (stream as unknown as { unref?(): void })?.unref?.();
  }
}
