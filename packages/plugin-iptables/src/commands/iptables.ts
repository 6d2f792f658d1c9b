import { readFile } from "node:fs/promises";
import { errorCode, errorMessage } from "@millrace/core/internal";
import type { Family } from "linux-ts";
import { CommandError } from "./command-error.ts";
import { type Flavour, iptablesProgram, type TableName } from "./iptables-names.ts";
import { parseIptablesSave, type SavedRules } from "./parse-iptables-save.ts";
import { type NetnsPlace, type RunOptions, run } from "./run.ts";

/** Which rules: of what flavour and family, and where. */
export interface IptablesPlace extends Pick<RunOptions, "netns" | "signal" | "deadline"> {
  readonly flavour: Flavour;
  readonly family: Family;
}

export interface SaveOptions extends IptablesPlace {
  /** Only this one; without, all that exist. */
  readonly table?: TableName | undefined;
  /** With the packets and bytes that each rule has seen. */
  readonly counters?: boolean | undefined;
}

const NOTHING: SavedRules = { tables: new Map(), unreadable: [] };

/**
 * Reads the rules that exist. Reading makes nothing: iptables-legacy-save makes the table it is asked for (and with it the hooks that
 * every packet then passes), so it is asked only for tables that /proc/net/ip_tables_names has.
 *
 * Rejects as {@link run} does, and with `ERR_OUTPUT_UNREADABLE`.
 */
export async function iptablesSave(options: SaveOptions): Promise<SavedRules> {
  const { flavour, family, table, counters = false, ...where } = options;
  if (flavour === "legacy" && table !== undefined) {
    const existing = await legacyTables(family, where);
    if (!existing.includes(table)) return NOTHING;
  }
  const program = iptablesProgram(flavour, family, "save");
  const args = [...(counters ? ["-c"] : []), ...(table === undefined ? [] : ["-t", table])];
  const text = await run(program, args, where);
  try {
    return parseIptablesSave(text);
  } catch (cause) {
    const command = [program, ...args].join(" ");
    throw new CommandError("ERR_OUTPUT_UNREADABLE", `${command}: ${errorMessage(cause)}`, {
      command,
      stderr: "",
      cause,
    });
  }
}

/** Names of the legacy tables that exist in a namespace. Without the kernel's ip_tables there are none. */
export async function legacyTables(
  family: Family,
  where: { readonly netns?: NetnsPlace; readonly signal?: AbortSignal | undefined } = {},
): Promise<string[]> {
  const path = `/proc/self/net/${family === 4 ? "ip" : "ip6"}_tables_names`;
  const text = where.netns === undefined ? await readOwn(path) : await readThere(path, where);
  return text.split("\n").filter(Boolean);
}

async function readOwn(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return "";
    throw error;
  }
}

/** /proc/self/net is the reader's own namespace (fs/proc/proc_net.c), so a process in that namespace has to read it. */
async function readThere(path: string, where: RunOptions): Promise<string> {
  try {
    return await run("cat", [path], where);
  } catch (error) {
    if (error instanceof CommandError && error.stderr.includes("No such file")) return "";
    throw error;
  }
}

export interface RestoreOptions extends IptablesPlace {
  /** As iptables-restore takes it; chains that are named by `:CHAIN - [0:0]` are emptied first, all others are left alone. */
  readonly text: string;
}

/** Seconds to wait for /run/xtables.lock, and between tries where iptables is too old to sleep on the lock (before 1.8.8). */
const LOCK = ["-w", "5", "-W", "50000"];

/**
 * Writes rules, each table in one transaction: the kernel has all of it or nothing. That is so in either flavour: `COMMIT` ends a
 * transaction of nftables, too (iptables/xtables-restore.c, xtables_restore_parse_line()), so a table that is refused does not undo
 * those before it.
 *
 * Rejects as {@link run} does; the error's `line` is the line that was refused.
 */
export async function iptablesRestore({ flavour, family, text, ...where }: RestoreOptions): Promise<void> {
  await run(iptablesProgram(flavour, family, "restore"), ["--noflush", ...LOCK], { ...where, input: text });
}
