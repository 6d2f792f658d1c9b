import { existsSync, statSync } from "node:fs";
import { tryLockDirectory, tryLockFile } from "linux-ts";
import { destination } from "pino";
import { AdminClient } from "../admin/admin-client.ts";
import type { Setup } from "../cli/settings-options.ts";
import { lockPath } from "../daemon/single-instance.ts";
import { AgentError } from "../errors.ts";
import { installLockPath } from "../install/install-places.ts";
import { createLogger } from "../logging/logger.ts";
import { loadSnapshot } from "./snapshot-file.ts";
import type { Verification } from "./verification.ts";
import { type VerifyOptions, verifyClean } from "./verify-clean.ts";

/** Throws `ERR_AGENT_RUNNING` while an agent or an installer runs: what is there then is in use, and not left. */
export async function runVerifyClean(
  setup: Setup,
  { keepCniPlugin, signal }: Pick<VerifyOptions, "keepCniPlugin" | "signal">,
): Promise<Verification> {
  const { configuration } = setup;
  const { admin } = configuration.sockets;
  for (const path of [lockPath(admin), installLockPath(configuration)]) refuseHeld(path, tryLockFile);
  const { journal } = configuration.paths;
  if (statSync(journal, { throwIfNoEntry: false })?.isDirectory()) refuseHeld(journal, tryLockDirectory);
  if ((await new AdminClient(admin).answers()) === true) {
    throw new AgentError("ERR_AGENT_RUNNING", `an agent answers on ${admin}`);
  }
  const log = createLogger({ format: "text", level: "warn", output: destination({ fd: 2, sync: true }) });
  return await verifyClean(setup, { noted: loadSnapshot(configuration), keepCniPlugin, signal, log });
}

/** What is not there is not locked, and must not be made. */
function refuseHeld(path: string, tryLock: (path: string) => Disposable | undefined): void {
  if (!existsSync(path)) return;
  const lock = tryLock(path);
  if (lock === undefined)
    throw new AgentError("ERR_AGENT_RUNNING", `a process holds ${path}: an agent or an installer`);
  lock[Symbol.dispose]();
}
