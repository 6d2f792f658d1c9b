import { Program } from "../programs/program.ts";
import { WriteLines } from "./write-lines.ts";

/** Kills a process at a write of its own choosing, from outside: nothing in it knows. */
export class KillAtWrite implements AsyncDisposable {
  readonly #tracer: Program;
  readonly #pid: number;
  #at: string | undefined;
  readonly #lines = new WriteLines();
  #writes = 0;

  private constructor(pid: number, ordinal: number) {
    this.#pid = pid;
    const calls = "trace=bpf,execve,unlink,unlinkat,symlink,symlinkat,rename,renameat,renameat2";
    // What strace prints goes to its standard error: line by line, as the calls are made.
    this.#tracer = Program.start(
      "strace",
      "strace",
      ["-f", "-s", "64", "-e", calls, "-e", "signal=none", "-p", String(pid)],
      {
        onErrorLine: (line) => this.#see(line, ordinal),
      },
    );
  }

  /** Follows the process; it is killed with SIGKILL at its write number `ordinal`, from 1. */
  static async attach(pid: number, ordinal: number): Promise<KillAtWrite> {
    const killer = new KillAtWrite(pid, ordinal);
    await killer.#tracer.until("it was attached", () => killer.#tracer.lines.some((line) => line.includes("attached")));
    return killer;
  }

  /** At which system call it was killed; undefined while it was not. */
  get at(): string | undefined {
    return this.#at;
  }

  /** Kills it now, if it made fewer writes. */
  finish(): void {
    this.#kill(`after its last of ${this.#writes} writes`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tracer.stop("SIGKILL");
  }

  #see(line: string, ordinal: number): void {
    const write = this.#lines.take(line);
    if (write === undefined) return;
    this.#writes++;
    if (this.#writes === ordinal) this.#kill(write.slice(0, 120));
  }

  #kill(at: string): void {
    if (this.#at !== undefined) return;
    this.#at = at;
    process.kill(this.#pid, "SIGKILL");
  }
}
