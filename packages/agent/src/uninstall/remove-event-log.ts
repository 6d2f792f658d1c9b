import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EventLogReader } from "@millrace/core/internal";
import { find } from "../daemon/stale-socket.ts";
import type { Ledger } from "./removal.ts";

/** Throws core's `ERR_LOG_UNREADABLE`, `ERR_LOG_NEWER_SCHEMA` for what is no event log. */
function refuseForeign(path: string): void {
  if (find(path).kind !== "file") throw new Error("it is no regular file");
  using reader = EventLogReader.open(path);
  reader.lastSeq(); // any SQLite database opens; ours has the table
}

/** What SQLite and the agent keep beside the log, and damaged ones that the agent moved aside; the log itself last. */
function logFiles(path: string): string[] {
  const name = basename(path);
  const beside = readdirSync(dirname(path))
    .filter(
      (file) => [`${name}-wal`, `${name}-shm`, `${name}.reserve`].includes(file) || file.startsWith(`${name}.damaged-`),
    )
    .map((file) => join(dirname(path), file))
    .filter((file) => find(file).kind === "file");
  return [...beside, path];
}

/** Removes the event log if it is one and `purge` is wanted. What is refused is told as left. */
export function removeEventLog(path: string, purge: boolean, ledger: Ledger): void {
  ledger.attempt(`event log ${path}`, () => {
    if (find(path).kind === "nothing") return;
    if (!purge) {
      ledger.kept.push(`event log ${path}: --purge removes it`);
      return;
    }
    refuseForeign(path);
    for (const file of logFiles(path)) ledger.remove("event log", file);
  });
}
