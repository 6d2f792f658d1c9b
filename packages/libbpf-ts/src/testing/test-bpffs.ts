import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A BPF file system of one's own, unmounted by disposal: what is pinned there goes with it. */
export class TestBpffs implements Disposable {
  readonly path: string;

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), "libbpf-ts-"));
    execFileSync("mount", ["-t", "bpf", "bpf", this.path]);
  }

  at(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    execFileSync("umount", [this.path]);
    rmdirSync(this.path);
  }
}
