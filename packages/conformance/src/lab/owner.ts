import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { startTime } from "./process-table.ts";

/** Where labs keep their directories and the files that say who owns them. */
export const LAB_DIRECTORY = "/run/millrace-lab";

const Owner = z.object({ pid: z.number().int().positive(), startTime: z.string() });
const SUFFIX = ".owner.json";
const ownerFile = (prefix: string): string => join(LAB_DIRECTORY, `${prefix}${SUFFIX}`);

/** The directory of everything a lab puts on disk. */
export const labDirectory = (prefix: string): string => join(LAB_DIRECTORY, prefix);

/** Notes that this process owns the lab `prefix`: the first thing a lab does, so that whatever follows can be swept. */
export function claim(prefix: string): void {
  mkdirSync(LAB_DIRECTORY, { recursive: true });
  const temporary = join(LAB_DIRECTORY, `.${prefix}.${process.pid}`);
  writeFileSync(temporary, JSON.stringify({ pid: process.pid, startTime: startTime(process.pid) }));
  renameSync(temporary, ownerFile(prefix));
}

/** The last thing a lab does. */
export function disclaim(prefix: string): void {
  rmSync(ownerFile(prefix), { force: true });
}

/** Prefixes of labs whose owner no longer runs. */
export function abandonedLabs(): string[] {
  if (!existsSync(LAB_DIRECTORY)) return [];
  return readdirSync(LAB_DIRECTORY)
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .filter((prefix) => {
      const owner = Owner.parse(JSON.parse(readFileSync(ownerFile(prefix), "utf8")));
      return startTime(owner.pid) !== owner.startTime;
    });
}
