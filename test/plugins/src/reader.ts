import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { type Block, edit, unseen } from "./tutorial.ts";

/** For one block: a machine that is busy with other things is slow, and a loop without an end is to end. */
const PATIENCE_MS = 15 * 60_000;

/** Does what a page says, in one shell as it were: the directory that a block ends in is where the next one begins. */
export class Reader implements Disposable {
  readonly #env: NodeJS.ProcessEnv;
  readonly #notes = mkdtempSync(join(tmpdir(), "millrace-reader-"));
  #directory: string;

  constructor(directory: string, env: NodeJS.ProcessEnv) {
    this.#directory = directory;
    this.#env = env;
  }

  /** Throws when something ends, or prints, other than the page says. */
  follow(block: Block): void {
    if (block.kind !== "type") {
      edit(block, join(this.#directory, block.path));
      return;
    }
    const { line, commands, fails, prints } = block;
    const { status, printed } = this.#type(commands);
    const missing = unseen(prints, printed);
    const wrong =
      (status !== 0) !== fails
        ? `ended with ${status}`
        : missing === undefined
          ? undefined
          : `did not print '${missing}'`;
    if (wrong !== undefined)
      throw new Error(`line ${line}: this ${wrong}:\n${commands}\nIt printed:\n${printed.slice(-8000)}`);
  }

  [Symbol.dispose](): void {
    rmSync(this.#notes, { recursive: true });
  }

  #type(commands: string): { readonly status: number; readonly printed: string } {
    const [place, output] = [join(this.#notes, "pwd"), join(this.#notes, "output")];
    // Into a file: a program that stays behind must not keep a pipe open.
    const script = `exec > '${output}' 2>&1\ntrap 'pwd > "${place}"; kill $(jobs -p) 2> /dev/null || true' EXIT\n${commands}`;
    const options = { cwd: this.#directory, env: this.#env, stdio: "ignore", timeout: PATIENCE_MS } as const;
    let status = 0;
    try {
      execFileSync("bash", ["-euo", "pipefail", "-c", script], options);
    } catch (error) {
      status = (error as { readonly status: number | null }).status ?? -1;
    }
    this.#directory = readFileSync(place, "utf8").trim();
    return { status, printed: stripVTControlCharacters(readFileSync(output, "utf8")) };
  }
}
