import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PLAIN } from "./environment.ts";

const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/** A cgroup of one's own in the one cgroup 2 hierarchy, which is mounted for it. */
export class TestCgroup implements Disposable {
  readonly path: string;
  readonly #mount: string;

  constructor() {
    this.#mount = mkdtempSync(join(tmpdir(), "libbpf-ts-"));
    execFileSync("mount", ["-t", "cgroup2", "none", this.#mount]);
    this.path = join(this.#mount, `libbpf-ts-${process.pid}`);
    mkdirSync(this.path);
  }

  /** Runs a command inside, in that network namespace, and returns its exit code. */
  run(netns: string, command: string): number {
    const script = `echo $$ > ${this.path}/cgroup.procs && ${command}; echo $?`;
    const out = execFileSync("nsenter", [`--net=${netns}`, "sh", "-c", script], {
      encoding: "utf8",
      timeout: 10_000,
      env: PLAIN,
    });
    return Number(out.trim().split("\n").at(-1));
  }

  [Symbol.dispose](): void {
    // What was ended for taking too long leaves its children here (Linux 5.14 or later ends them).
    writeFileSync(join(this.path, "cgroup.kill"), "1");
    while (readFileSync(join(this.path, "cgroup.procs"), "utf8") !== "") Atomics.wait(PAUSE, 0, 0, 5);
    rmdirSync(this.path);
    execFileSync("umount", [this.#mount]);
    rmdirSync(this.#mount);
  }
}
