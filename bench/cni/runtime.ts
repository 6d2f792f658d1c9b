import { fileURLToPath } from "node:url";
import type { Program, ProgramOptions } from "@millrace/conformance";
import type { Attachment, Command, Times } from "./chain.ts";
import type { RuntimeSettings, Work } from "./runtime-process.ts";

const MAIN = fileURLToPath(new URL("./runtime-process.ts", import.meta.url));

/** Starts a program somewhere: in a network namespace, for instance. */
export type Start = (name: string, file: string, args: readonly string[], options: ProgramOptions) => Program;

/** A container runtime that works on several pods at once: a process for each of them. */
export class Runtime implements AsyncDisposable {
  readonly #processes: readonly RuntimeProcess[];

  private constructor(processes: readonly RuntimeProcess[]) {
    this.#processes = processes;
  }

  /** Resolves once all processes are there. */
  static async start(start: Start, atOnce: number, settings: RuntimeSettings): Promise<Runtime> {
    const processes = Array.from({ length: atOnce }, () => new RuntimeProcess(start, settings));
    const runtime = new Runtime(processes);
    try {
      await Promise.all(processes.map((process) => process.answer()));
    } catch (error) {
      await runtime[Symbol.asyncDispose]();
      throw error;
    }
    return runtime;
  }

  get pids(): readonly number[] {
    return this.#processes.map(({ pid }) => pid);
  }

  /** Every attachment once, each process one after the other. An attachment always comes to the same process. */
  async run(command: Command, attachments: readonly Attachment[]): Promise<Times[]> {
    const times = await Promise.all(
      this.#processes.map((process, index) => {
        const share = attachments.filter((_, number) => number % this.#processes.length === index);
        return process.run({ command, attachments: share });
      }),
    );
    return times.flat();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((process) => process[Symbol.asyncDispose]()));
  }
}

class RuntimeProcess implements AsyncDisposable {
  readonly #program: Program;
  #answered = Promise.withResolvers<string>();

  constructor(start: Start, settings: RuntimeSettings) {
    this.#program = start("container runtime", process.execPath, [...process.execArgv, MAIN], {
      stdin: true,
      onLine: (line) => this.#answered.resolve(line),
      onErrorLine: (line) => console.error(line),
    });
    this.#program.write(`${JSON.stringify(settings)}\n`);
  }

  get pid(): number {
    return this.#program.pid;
  }

  /** The line that it writes next, or has written since the last one was asked for. */
  async answer(): Promise<string> {
    const ended = this.#program.ended.then(() => {
      throw new Error(`the container runtime's process ended with ${this.#program.outcome}: see its message above`);
    });
    const line = await Promise.race([this.#answered.promise, ended]);
    this.#answered = Promise.withResolvers();
    return line;
  }

  async run(work: Work): Promise<Times[]> {
    this.#program.write(`${JSON.stringify(work)}\n`);
    return JSON.parse(await this.answer());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program.kill();
  }
}
