import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { startTime } from "./process-table.ts";

/** Where labs keep their directories and the files that say who owns them. */
export const LAB_DIRECTORY = "/run/millrace-lab";

const Owner = z.object({
  pid: z.number().int().positive(),
  startTime: z.string(),
  /** Its owner waits for somebody who looks at it, and for the command that takes it down. */
  isKept: z.boolean().default(false),
});
const SUFFIX = ".owner.json";
const ownerFile = (prefix: string): string => join(LAB_DIRECTORY, `${prefix}${SUFFIX}`);

/** The directory of everything a lab puts on disk. */
export const labDirectory = (prefix: string): string => join(LAB_DIRECTORY, prefix);

/** Notes that this process owns the lab `prefix`: the first thing a lab does, so that whatever follows can be swept. */
export function claim(prefix: string): void {
  mkdirSync(LAB_DIRECTORY, { recursive: true });
  note(prefix, false);
}

/** Notes that the lab stays up for a look, for as long as this process runs. */
export function markKept(prefix: string): void {
  note(prefix, true);
}

function note(prefix: string, isKept: boolean): void {
  const temporary = join(LAB_DIRECTORY, `.${prefix}.${process.pid}`);
  writeFileSync(temporary, JSON.stringify({ pid: process.pid, startTime: startTime(process.pid), isKept }));
  renameSync(temporary, ownerFile(prefix));
}

/** The last thing a lab does. */
export function disclaim(prefix: string): void {
  rmSync(ownerFile(prefix), { force: true });
}

/** Prefixes of labs whose owner no longer runs. */
export function abandonedLabs(): string[] {
  return owned().flatMap(({ prefix, owner }) => (runs(owner) ? [] : [prefix]));
}

/** Labs that were left up for a look, with the process that keeps each, where it still runs. */
export function keptLabs(): { readonly prefix: string; readonly pid?: number }[] {
  return owned()
    .filter(({ owner }) => owner.isKept)
    .map(({ prefix, owner }) => (runs(owner) ? { prefix, pid: owner.pid } : { prefix }));
}

const runs = ({ pid, startTime: since }: z.output<typeof Owner>): boolean => startTime(pid) === since;

function owned(): { readonly prefix: string; readonly owner: z.output<typeof Owner> }[] {
  if (!existsSync(LAB_DIRECTORY)) return [];
  const prefixes = readdirSync(LAB_DIRECTORY).flatMap((name) =>
    name.endsWith(SUFFIX) ? [name.slice(0, -SUFFIX.length)] : [],
  );
  return prefixes.flatMap((prefix) => {
    const text = readOwner(prefix);
    return text === undefined ? [] : [{ prefix, owner: Owner.parse(JSON.parse(text)) }];
  });
}

/** Another process may take its lab down meanwhile. */
function readOwner(prefix: string): string | undefined {
  try {
    return readFileSync(ownerFile(prefix), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
