import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Configuration, errorCode } from "@millrace/core";
import { z } from "zod";
import { lockPath } from "../daemon/single-instance.ts";
import { describeError } from "../logging/describe-error.ts";
import type { Ledger } from "./removal.ts";

/** Exactly what the agent writes, and nothing beside it. */
const ambientConfig = z.strictObject({ ztunnelReady: z.boolean(), redirectMode: z.string() });

function removeFile(path: string, what: string, ledger: Ledger): void {
  if (!existsSync(path)) return;
  try {
    rmSync(path);
    ledger.removed.push(`${what} ${path}`);
  } catch (error) {
    ledger.left.push(`${what} ${path}: ${describeError(error).message}`);
  }
}

/** A directory that is not empty holds something of somebody else's, and stays. */
function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY", "EBUSY", "EEXIST"].includes(errorCode(error))) throw error;
  }
}

function removeAmbientConfig(path: string, ledger: Ledger): void {
  if (!existsSync(path)) return;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
    ambientConfig.parse(JSON.parse(text));
  } catch {
    ledger.kept.push(`${path}: it is not as the agent writes it`);
    return;
  }
  removeFile(path, "ambient config", ledger);
  removeIfEmpty(dirname(path));
}

/** The log, what SQLite keeps beside it, and damaged ones that were moved aside. */
function eventLogFiles(path: string): string[] {
  const directory = dirname(path);
  if (!existsSync(directory)) return [];
  const name = basename(path);
  return readdirSync(directory)
    .filter((file) => [name, `${name}-wal`, `${name}-shm`].includes(file) || file.startsWith(`${name}.damaged-`))
    .map((file) => join(directory, file));
}

function removeEventLog(path: string, purge: boolean, ledger: Ledger): void {
  for (const file of eventLogFiles(path)) {
    if (purge) removeFile(file, "event log", ledger);
    else if (file === path) ledger.kept.push(`event log ${file}: --purge removes it`);
  }
  removeIfEmpty(dirname(path));
}

/** What the backends noted about the host must be empty by now: what is in it was not put back. */
function removeJournal(path: string, ledger: Ledger): void {
  if (!existsSync(path)) return;
  for (const file of readdirSync(path)) ledger.left.push(`journal ${join(path, file)}: it was not put back`);
  removeIfEmpty(path);
}

/** Sockets, ambient config, journal, and the event log if wanted. The caller holds the lock, and removes it last. */
export function removeFiles({ sockets, paths, eventLog }: Configuration, purge: boolean, ledger: Ledger): void {
  removeFile(sockets.cni, "socket", ledger);
  removeFile(sockets.admin, "socket", ledger);
  removeAmbientConfig(paths.ambientConfig, ledger);
  removeJournal(paths.journal, ledger);
  removeEventLog(eventLog.path, purge, ledger);
}

/** The lock file and the directory of the sockets, while the lock is still held. */
export function removeRunDirectory({ sockets }: Configuration): void {
  rmSync(lockPath(sockets.admin), { force: true });
  removeIfEmpty(dirname(sockets.cni));
  removeIfEmpty(dirname(sockets.admin));
}
