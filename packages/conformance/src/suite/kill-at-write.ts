import type { Tracer } from "../agent/agent.ts";
import { WriteLines } from "./write-lines.ts";

/** System calls with which something is written, or a program started that may. */
const CALLS = "trace=bpf,execve,unlink,unlinkat,symlink,symlinkat,rename,renameat,renameat2";

interface Run {
  /** Of the process itself, of which the first line tells; those that it starts come later. */
  pid?: number;
}

/**
 * Kills a process at a write of its own choosing, from outside: nothing in it knows. The process is started under strace, with all that it
 * starts: with `--seccomp-bpf` no other system call stops it, and with `-D` its parent and its number are what they would be.
 */
export class KillAtWrite implements Tracer {
  #run: Run = {};
  #ordinal = Number.POSITIVE_INFINITY;
  #writes = 0;
  #at: string | undefined;

  trace(words: readonly string[]): { readonly words: readonly string[]; readonly take: (line: string) => void } {
    const run: Run = {};
    const lines = new WriteLines();
    this.#run = run;
    const options = ["-D", "-f", "--seccomp-bpf", "-q", "-s", "64", "-e", CALLS, "-e", "signal=none"];
    return {
      words: ["strace", ...options, "-o", "|exec cat >&3", "--", ...words],
      take: (line) => {
        run.pid ??= Number.parseInt(line, 10);
        const write = lines.take(line);
        // One that was killed may have left programs behind, which go on for a moment.
        if (write !== undefined && run === this.#run) this.#count(write);
      },
    };
  }

  /** From now on the process, or the next one that is started, is killed with SIGKILL at its write number `ordinal`, from 1. */
  arm(ordinal: number): void {
    this.#ordinal = ordinal;
    this.#writes = 0;
    this.#at = undefined;
  }

  /** At which system call it was killed since it was armed; undefined while it was not. */
  get at(): string | undefined {
    return this.#at;
  }

  /** Kills it now, if it made fewer writes. */
  finish(): void {
    if (this.#at === undefined) this.#kill(`after its last of ${this.#writes} writes`);
  }

  #count(write: string): void {
    this.#writes++;
    if (this.#writes === this.#ordinal) this.#kill(write.slice(0, 120));
  }

  #kill(at: string): void {
    const { pid } = this.#run;
    if (pid === undefined) return;
    this.#at = at;
    this.#ordinal = Number.POSITIVE_INFINITY;
    process.kill(pid, "SIGKILL");
  }
}
