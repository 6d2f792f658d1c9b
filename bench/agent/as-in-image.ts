import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { MILLRACE_COMMAND } from "@millrace/conformance";
import { writeBundles } from "@millrace/deploy";

/** The agent as the image has it (deploy/image): its modules in one file, whose memory is less than theirs one by one. */
export interface AsInImage extends Disposable {
  /** Runs `millrace`. */
  readonly command: readonly string[];
}

/** Of what `make build` has built, into a directory that goes with this. Addons and BPF objects are those of the checkout, and so is the thread that writes the log. */
export async function asInImage(): Promise<AsInImage> {
  const [node = ""] = MILLRACE_COMMAND;
  const root = resolve(dirname(MILLRACE_COMMAND.at(-1) ?? ""), "../../..");
  const entry = "packages/agent/dist/main.js";
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-image-"));
  try {
    await writeBundles({ root, entries: [entry], directory });
  } catch (error) {
    rmSync(directory, { recursive: true });
    throw error;
  }
  return {
    // The flags are the image's: deploy/image/millrace.sh.
    command: ["env", "MALLOC_ARENA_MAX=2", node, "--max-semi-space-size=4", join(directory, entry)],
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}
