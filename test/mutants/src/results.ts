import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Catch } from "./catch-mutant.ts";

/** What became of a mutant, and of which run that is: `uname -r`, and the day as `2026-11-22`. */
export interface Found extends Catch {
  readonly kernel: string;
  readonly day: string;
}

/** Whether it was run against the others, and not against its own behaviour alone. */
export const isFull = ({ passed, failed }: Pick<Catch, "passed" | "failed">): boolean =>
  passed.length + failed.length > 0;

/** What earlier runs found, by number; nothing where the file is not there. Throws SyntaxError. */
export const readResults = (file: string): readonly Found[] =>
  existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];

/** As a whole or not at all: a run of hours may be broken off at any time. */
export function writeResults(file: string, results: readonly Found[]): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(results, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}

/** Puts one in the place of what was found of this mutant before. */
export const merge = (old: readonly Found[], fresh: Found): readonly Found[] =>
  [...old.filter(({ behaviour }) => behaviour !== fresh.behaviour), fresh].sort((a, b) => a.number - b.number);
