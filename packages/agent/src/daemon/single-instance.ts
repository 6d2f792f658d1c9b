import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { tryLockFile } from "linux-ts";
import { AdminClient } from "../admin/admin-client.ts";
import { AgentError } from "../errors.ts";

/** The lock is beside the admin socket: who may own the one owns the other. */
export function lockPath(adminSocket: string): string {
  return join(dirname(adminSocket), "agent.lock");
}

function holder(path: string): string {
  try {
    return `process ${readFileSync(path, "utf8").trim() || "(unknown)"}`;
  } catch {
    return "another process"; // only to name it in the message: the lock itself is what counts
  }
}

/**
 * Makes this process the only agent (or the only `uninstall`) of the node, until disposed or ended, however it ends. A socket that
 * a dead agent left behind is removed, so that it can be bound again.
 *
 * Throws `ERR_AGENT_RUNNING` when another process holds the lock or answers on the admin socket.
 */
export async function becomeOnlyInstance(adminSocket: string): Promise<Disposable> {
  const path = lockPath(adminSocket);
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const lock = tryLockFile(path);
  if (lock === undefined) throw new AgentError("ERR_AGENT_RUNNING", `${holder(path)} holds ${path}`);
  try {
    // The lock alone would do, if nobody ever removed the file while an agent runs.
    if (await new AdminClient(adminSocket).answers()) {
      throw new AgentError("ERR_AGENT_RUNNING", `an agent answers on ${adminSocket}, without holding ${path}`);
    }
    rmSync(adminSocket, { force: true });
    writeFileSync(path, `${process.pid}\n`);
    return lock;
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}
