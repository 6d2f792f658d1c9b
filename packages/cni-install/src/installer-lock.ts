import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { tryLockFile } from "linux-ts";
import { InstallError } from "./errors.ts";

/**
 * Makes this process the only one that changes the node's CNI directories, until disposed or the process ends, however it ends.
 * Throws `ERR_INSTALLER_RUNNING`.
 */
export function lockInstaller(path: string): Disposable {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const lock = tryLockFile(path);
  if (lock === undefined) throw new InstallError("ERR_INSTALLER_RUNNING", `another installer holds ${path}`);
  return lock;
}
