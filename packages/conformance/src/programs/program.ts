import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { isAgent, noteOfLog } from "../agent/log-account.ts";
import { LabError } from "../errors.ts";
import { pause } from "../pause.ts";
import { within } from "../slow.ts";

export interface ProgramOptions {
  /** Laid over the environment of this process; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Give it a standard input that can be written to. */
  readonly stdin?: boolean;
  /** Called for every whole line it writes to standard output. */
  readonly onLine?: (line: string) => void;
  /** The same for standard error. */
  readonly onErrorLine?: (line: string) => void;
  /** It gets a pipe as descriptor 3; called for every whole line that comes from there, which is not kept. */
  readonly onTraceLine?: (line: string) => void;
}

/** Lines of output that are kept for messages. */
const KEPT_LINES = 2_000;

/**
 * A program that goes on running: started by pid, ended by that pid alone. Standard output and error are kept, line by
 * line, for evidence.
 */
export class Program implements AsyncDisposable {
  readonly name: string;
  /** The process itself: `nsenter` replaces itself by the program it starts, so this is never a wrapper. */
  readonly pid: number;
  /** Everything it wrote, oldest first. */
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(name: string, child: ChildProcess, pid: number, options: ProgramOptions) {
    const { onLine, onErrorLine, onTraceLine } = options;
    this.name = name;
    this.#child = child;
    this.pid = pid;
    const keep = (onEach?: (line: string) => void) => (line: string) => {
      this.lines.push(line);
      if (this.lines.length > KEPT_LINES) this.lines.shift();
      onEach?.(line);
    };
    takeLines(child.stdout, keep(onLine));
    takeLines(child.stderr, keep(onErrorLine));
    if (onTraceLine !== undefined) takeLines(child.stdio[3] as Readable, onTraceLine);
    this.#ended = new Promise((resolve) => child.once("close", () => resolve()));
  }

  static start(name: string, file: string, args: readonly string[], options: ProgramOptions = {}): Program {
    const child = spawn(file, args, {
      stdio: [
        options.stdin === true ? "pipe" : "ignore",
        "pipe",
        "pipe",
        ...(options.onTraceLine === undefined ? [] : (["pipe"] as const)),
      ],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    if (child.pid === undefined) {
      // Node reports the reason by an event; the caller gets it by the exception below.
      child.once("error", () => undefined);
      throw new LabError("ERR_PROGRAM_EXITED", `cannot start ${name}: is ${file} installed and on PATH?`);
    }
    child.stdin?.on("error", () => undefined);
    if (isAgent(args)) noteOfLog({ kind: "started" });
    return new Program(name, child, child.pid, options);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** How it ended, for messages: `status 1`, `signal SIGKILL`, or `still running`. */
  get outcome(): string {
    if (this.#child.signalCode !== null) return `signal ${this.#child.signalCode}`;
    return this.#child.exitCode === null ? "still running" : `status ${this.#child.exitCode}`;
  }

  /** Resolves when the process has ended and all its output was read. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  write(line: string): void {
    this.#child.stdin?.write(line);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal);
  }

  /** Asks it to end with `signal`, and makes it end after `graceMs`. Resolves when it is gone. */
  async stop(signal: NodeJS.Signals = "SIGTERM", graceMs = within(5_000)): Promise<void> {
    this.signal(signal);
    const timer = setTimeout(() => this.signal("SIGKILL"), graceMs);
    await this.#ended;
    clearTimeout(timer);
  }

  async kill(): Promise<void> {
    await this.stop("SIGKILL");
  }

  /**
   * Waits until `ready` says so. Throws ERR_PROGRAM_EXITED when the process ends first and ERR_PROGRAM_NOT_READY when
   * `timeoutMs` have passed, both with the last of its output.
   */
  async until(what: string, ready: () => boolean | Promise<boolean>, timeoutMs = within(30_000)): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const began = performance.now();
      if (await ready()) return;
      if (!this.running) {
        throw new LabError("ERR_PROGRAM_EXITED", `${this.name} ended (${this.outcome}) before ${what}`, {
          details: this.tail(),
        });
      }
      if (performance.now() > deadline) {
        throw new LabError("ERR_PROGRAM_NOT_READY", `${this.name}: no ${what} within ${timeoutMs} ms`, {
          details: this.tail(),
        });
      }
      await pause(10, began);
    }
  }

  tail(count = 30): string {
    return this.lines.slice(-count).join("\n");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function takeLines(source: Readable | null, take: (line: string) => void): void {
  let rest = "";
  source?.setEncoding("utf8");
  source?.on("data", (chunk: string) => {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) take(line);
  });
  source?.once("end", () => {
    if (rest !== "") take(rest);
  });
}
