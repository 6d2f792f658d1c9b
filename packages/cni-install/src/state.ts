import { readFileSync } from "node:fs";
import { errorCode } from "@millrace/core/internal";
import { writeDurably } from "@millrace/host";
import { z } from "zod";

/**
 * - `waiting`: there is no network configuration, or no directory for the plugin, yet
 * - `installed`: the plugin is where it belongs, and the list that a runtime uses has our entry
 * - `refused`: the primary's configuration cannot take our entry; `detail` says why
 * - `contended`: somebody takes out again what is written; it is tried ever more rarely
 * - `failed`: a look or a write failed; it is tried again
 */
const states = ["waiting", "installed", "refused", "contended", "failed"] as const;

const schema = z.object({
  version: z.literal(1),
  state: z.enum(states),
  /** RFC 3339: when it became so. */
  since: z.string(),
  /** Process that says so. */
  pid: z.int(),
  detail: z.string(),
  /** The list that has our entry, by file name, and the network that it is. */
  config: z.object({ file: z.string(), kind: z.enum(["edited", "converted", "own"]), network: z.string() }).optional(),
  warnings: z.array(z.object({ code: z.string(), message: z.string() })),
  /** How often a file was written since this process began. */
  writes: z.int(),
});

/** What the installer says of itself, in a file beside the agent's sockets. Fields are only ever added. */
export type InstallState = z.output<typeof schema>;

export function writeInstallState(path: string, state: InstallState): void {
  writeDurably(path, `${JSON.stringify(state)}\n`);
}

/** Undefined when no installer has run since the node started. Throws for what is no state. */
export function readInstallState(path: string): InstallState | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  return schema.parse(JSON.parse(text));
}
