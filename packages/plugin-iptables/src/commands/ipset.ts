import { errorMessage } from "@millrace/core/internal";
import { CommandError } from "./command-error.ts";
import { parseIpsetSave, type SavedSet } from "./parse-ipset.ts";
import { type RunOptions, run } from "./run.ts";

type Where = Pick<RunOptions, "netns" | "signal" | "deadline">;

/**
 * Runs commands of ipset(8), one a line. What is there already is taken as done (`-exist`: a second `create` or `add`, a `del` of what
 * is not there). Lines before the one that fails have had their effect. An empty text runs nothing.
 */
export async function ipsetRestore(text: string, where: Where = {}): Promise<void> {
  if (text.trim() === "") return;
  await run("ipset", ["restore", "-exist"], { ...where, input: text.endsWith("\n") ? text : `${text}\n` });
}

/** All sets by name, or the one that is asked for; a set that does not exist is not in it. Rejects with `ERR_OUTPUT_UNREADABLE`, too. */
export async function ipsetSave(where: Where & { readonly set?: string } = {}): Promise<ReadonlyMap<string, SavedSet>> {
  const { set, ...options } = where;
  const args = set === undefined ? ["save"] : ["save", set];
  const text = await run("ipset", args, options).catch((error: unknown) => {
    if (set !== undefined && error instanceof CommandError && /set with the given name does not/.test(error.stderr)) {
      return "";
    }
    throw error;
  });
  try {
    return parseIpsetSave(text);
  } catch (cause) {
    const command = ["ipset", ...args].join(" ");
    throw new CommandError("ERR_OUTPUT_UNREADABLE", `${command}: ${errorMessage(cause)}`, {
      command,
      stderr: "",
      cause,
    });
  }
}

/** Names of all sets, without reading their entries. */
export async function ipsetNames(where: Where = {}): Promise<string[]> {
  return (await run("ipset", ["list", "-name"], where)).split("\n").filter(Boolean);
}
