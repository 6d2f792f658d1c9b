import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Objects } from "../support/datapath.ts";

const BPF = fileURLToPath(new URL("../..", import.meta.url));
const SOURCES = ["Makefile", "include", "programs", "node.bpf.c", "proxy.bpf.c"];

/** A change of one place in the programs' sources. */
export interface Change {
  /** From bpf/. */
  readonly file: string;
  /** Has to be there exactly once. */
  readonly from: string;
  readonly to: string;
}

/** The objects of changed sources, built in a directory of their own: nothing in the sources that are shipped knows of it. */
export class Variant implements Disposable {
  readonly objects: Objects;
  readonly #directory = mkdtempSync(join(tmpdir(), "millrace-variant-"));

  constructor(changes: readonly Change[]) {
    for (const name of SOURCES) cpSync(join(BPF, name), join(this.#directory, name), { recursive: true });
    try {
      for (const change of changes) this.#change(change);
      const out = join(this.#directory, "objects");
      this.objects = { node: join(out, "node.bpf.o"), proxy: join(out, "proxy.bpf.o") };
      const targets = Object.values(this.objects);
      execFileSync("make", ["-s", "-C", this.#directory, `OUT=${out}`, ...targets], {
        encoding: "utf8",
        stdio: "pipe",
      });
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  #change({ file, from, to }: Change): void {
    const path = join(this.#directory, file);
    const parts = readFileSync(path, "utf8").split(from);
    if (parts.length !== 2)
      throw new Error(`${file} has ${parts.length - 1} places of ${JSON.stringify(from)}, not one`);
    writeFileSync(path, parts.join(to));
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
