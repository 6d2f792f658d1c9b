import { execFileSync } from "node:child_process";
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../../test-objects/jumping-clock.c", import.meta.url));

/** The time of day as programs of one node are told it; this machine's own clock is left alone. */
export class NodeClock {
  /** With these variables a program has this clock. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor(directory: string) {
    const library = join(directory, "jumping-clock.so");
    this.#file = join(directory, "clock");
    execFileSync("cc", ["-O2", "-Wall", "-shared", "-fPIC", "-o", library, SOURCE]);
    writeFileSync(this.#file, new Uint8Array(8));
    this.environment = { LD_PRELOAD: library, LAB_CLOCK: this.#file };
  }

  /** From now on it is ahead of this machine's by so much, or behind. In place: programs have the file mapped. */
  set(aheadSeconds: number): void {
    const file = openSync(this.#file, "r+");
    writeSync(file, new BigInt64Array([BigInt(aheadSeconds)]), 0, 8, 0);
    closeSync(file);
  }
}
