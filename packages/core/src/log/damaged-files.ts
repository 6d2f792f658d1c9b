import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Damaged files that are kept, the newest of them: an older one tells nothing that these do not. */
const KEPT = 3;

/** A database and what SQLite keeps beside it. */
const PARTS = ["", "-wal", "-shm"];

/** Puts a broken file and what belongs to it out of the way, and says where: somebody may want to look. */
export function moveAside(path: string, now: Date): string {
  const target = `${path}.damaged-${now.toISOString().replaceAll(":", "")}`;
  for (const part of PARTS) {
    if (existsSync(path + part)) renameSync(path + part, target + part);
  }
  return target;
}

/** Deletes the oldest of those, down to so many and to so many bytes in all. Returns how many went. */
export function removeDamaged(path: string, { keep = KEPT, maxBytes }: { keep?: number; maxBytes: number }): number {
  let [kept, bytes, removed] = [0, 0, 0];
  for (const file of damagedFiles(path)) {
    bytes += PARTS.reduce((sum, part) => sum + (statSync(file + part, { throwIfNoEntry: false })?.size ?? 0), 0);
    if (++kept <= keep && bytes <= maxBytes) continue;
    for (const part of PARTS) rmSync(file + part, { force: true });
    removed++;
  }
  return removed;
}

/** Newest first: their names end with the time. */
function damagedFiles(path: string): string[] {
  const names = readdirSync(dirname(path)).filter((name) => name.startsWith(`${basename(path)}.damaged-`));
  const databases = new Set(names.map((name) => name.replace(/-(wal|shm)$/, "")));
  return [...databases]
    .sort()
    .reverse()
    .map((name) => join(dirname(path), name));
}
