import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { LabError } from "../errors.ts";
import { requireRoot } from "../lab/lab.ts";
import { haproxyBinary } from "../programs/haproxy.ts";

/** What every trial needs of the machine is asked for once, before all of them fail for it. Throws ERR_LAB_NOT_ROOT, ERR_HAPROXY_MISSING. */
export function requireMachine(): void {
  requireRoot();
  haproxyBinary();
}

/** Where a file is to be written when all has run, there has to be a directory by now. Throws ERR_SUITE_USAGE. */
export function requireDirectory(option: string, file: string): void {
  const directory = dirname(resolve(file));
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return;
  throw new LabError("ERR_SUITE_USAGE", `${option} ${file}: there is no directory ${directory}; make it first`);
}
