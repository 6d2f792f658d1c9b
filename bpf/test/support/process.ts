import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Netns } from "linux-ts";

export interface Ended {
  /** Exit code; 124 when the time was up (timeout(1)). */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that goes on running inside a namespace. Ended by disposal at the latest. */
export class Running implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #stdout = "";
  #stderr = "";

  constructor(netns: Netns, file: string, args: readonly string[]) {
    // Not a shell, and no fork: the process's id is the command's.
    this.#child = spawn("nsenter", [`--net=${netns.path}`, "--", file, ...args], { stdio: "pipe", detached: true });
    this.#ended = once(this.#child, "close");
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
    // Writing to a command that ended is EPIPE; how it ended is for the test to see.
    this.#child.stdin?.on("error", () => {});
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Closes its input. */
  end(input?: string | Uint8Array): void {
    this.#child.stdin?.end(input ?? "");
  }

  async ended(): Promise<Ended> {
    await this.#ended;
    return { code: this.#child.exitCode ?? 128, stdout: this.#stdout, stderr: this.#stderr };
  }

  /** Ends the command and its children, as one process group. */
  async stop(): Promise<void> {
    if (this.#child.pid !== undefined) {
      try {
        process.kill(-this.#child.pid, "SIGKILL");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** Runs a command inside a namespace to its end, for so many seconds at most. */
export async function run(netns: Netns, seconds: number, file: string, ...args: readonly string[]): Promise<Ended> {
  const running = new Running(netns, "timeout", [`${seconds}`, file, ...args]);
  running.end();
  return await running.ended();
}

/** As {@link run}, for what has to succeed; returns its output. */
export async function must(netns: Netns, file: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(netns, 20, file, ...args);
  if (code !== 0) throw new Error(`${file} ${args.join(" ")}: exit code ${code}: ${stderr}`);
  return stdout;
}
