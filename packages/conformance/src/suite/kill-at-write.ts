import { childrenOf } from "../lab/process-table.ts";
import { Program } from "../programs/program.ts";
import { WriteLines } from "./write-lines.ts";

/** Kills a process at a write of its own choosing, from outside: nothing in it knows. */
export class KillAtWrite implements AsyncDisposable {
  readonly #tracer: Program;
  readonly #pid: number;
  readonly #processes: number;
  #at: string | undefined;
  readonly #lines = new WriteLines();
  #writes = 0;

  private constructor(pid: number, ordinal: number) {
    this.#pid = pid;
    const calls = "trace=bpf,execve,unlink,unlinkat,symlink,symlinkat,rename,renameat,renameat2";
    // A backend that does not come with Millrace writes in a process of its own, which may be there already: strace follows only those to come.
    const pids = [pid, ...childrenOf(pid)].flatMap((each) => ["-p", String(each)]);
    this.#processes = pids.length / 2;
    // What strace prints goes to its standard error: line by line, as the calls are made.
    this.#tracer = Program.start("strace", "strace", ["-f", "-s", "64", "-e", calls, "-e", "signal=none", ...pids], {
      onErrorLine: (line) => this.#see(line, ordinal),
    });
  }

  /** Follows the process; it is killed with SIGKILL at its write number `ordinal`, from 1. */
  static async attach(pid: number, ordinal: number): Promise<KillAtWrite> {
    const killer = new KillAtWrite(pid, ordinal);
    // One that has ended meanwhile is told as well: `attach: ptrace(PTRACE_SEIZE, …): No such process`.
    const told = () => killer.#tracer.lines.filter((line) => line.includes("attach")).length;
    await killer.#tracer.until("it was attached", () => told() >= killer.#processes);
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
