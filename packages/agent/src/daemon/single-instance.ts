import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorCode } from "@millrace/core/internal";
import { tryLockDirectory, tryLockFile } from "linux-ts";
import { AdminClient } from "../admin/admin-client.ts";
import { AgentError } from "../errors.ts";
import { find, removeStaleSocket } from "./stale-socket.ts";

/** More than the digits of any PID (the kernel's PID_MAX_LIMIT is 2^22) and a line feed. */
const MAX_LOCK_BYTES = 16;

/** The lock is beside the admin socket: who may own the one owns the other. */
export function lockPath(adminSocket: string): string {
  return join(dirname(adminSocket), "agent.lock");
}

/** Throws `ERR_LOCK_PATH` unless the file is absent, empty or holds a PID: the PID is written over what is there. */
function refuseForeign(path: string): void {
  const found = find(path);
  if (found.kind === "nothing") return;
  const ours = found.kind === "file" && found.size <= MAX_LOCK_BYTES && /^(\d+\n)?$/.test(readFileSync(path, "utf8"));
  if (!ours) throw new AgentError("ERR_LOCK_PATH", `${path} is there and is no agent's lock`);
}

function holder(path: string): string {
  try {
    return `process ${readFileSync(path, "utf8").trim() || "(unknown)"}`;
  } catch {
    return "another process"; // only to name it in the message: the lock itself is what counts
  }
}

/** The lock alone would do, if nobody ever removed the file while an agent runs. */
async function refuseAnother(adminSocket: string, lock: string): Promise<void> {
  const answer = await new AdminClient(adminSocket).answers();
  if (answer === true) {
    throw new AgentError("ERR_AGENT_RUNNING", `an agent answers on ${adminSocket}, without holding ${lock}`);
  }
  if (answer === false) return;
  throw new AgentError("ERR_SOCKET_IN_USE", `somebody is behind ${adminSocket}, without holding ${lock}`, {
    cause: answer,
  });
}

/** What an agent has to itself. Whoever shares one of them would undo what the other does. */
export interface NodePlaces {
  readonly adminSocket: string;
  readonly journal: string;
}

/**
 * Takes the lock of the journal: of the directory itself, so that nothing is left in it. Undefined where there is none, which nobody has
 * noted anything in.
 */
function lockJournal(journal: string): Disposable | undefined {
  try {
    const lock = tryLockDirectory(journal);
    if (lock !== undefined) return lock;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    if (errorCode(error) !== "ENOTDIR") throw error;
    throw new AgentError("ERR_LOCK_PATH", `${journal} is to be the journal, and is no directory`, { cause: error });
  }
  throw new AgentError(
    "ERR_AGENT_RUNNING",
    `another process holds the journal ${journal}: an agent with another admin socket`,
  );
}

/**
 * Takes the node's locks, until disposed or the process ends, however it ends. Removes nothing.
 *
 * Throws `ERR_AGENT_RUNNING` when another process holds a lock or answers on the admin socket; `ERR_SOCKET_IN_USE` when something
 * is behind the socket that does not answer as an agent would, which a stuck agent does not either; `ERR_LOCK_PATH`.
 */
export async function lockNode({ adminSocket, journal }: NodePlaces): Promise<Disposable> {
  const path = lockPath(adminSocket);
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  refuseForeign(path);
  using locks = new DisposableStack();
  const lock = tryLockFile(path);
  if (lock === undefined) throw new AgentError("ERR_AGENT_RUNNING", `${holder(path)} holds ${path}`);
  locks.use(lock);
  await refuseAnother(adminSocket, path);
  locks.use(lockJournal(journal));
  writeFileSync(path, `${process.pid}\n`);
  return locks.move();
}

/**
 * Makes this process the only agent of the node: {@link lockNode}, for which the journal is made, and the socket that a dead agent left
 * behind is removed, so that it can be bound again. Throws `ERR_SOCKET_PATH` besides.
 */
export async function becomeOnlyInstance(places: NodePlaces): Promise<Disposable> {
  makeJournal(places.journal);
  using locks = new DisposableStack();
  locks.use(await lockNode(places));
  removeStaleSocket(places.adminSocket);
  return locks.move();
}

function makeJournal(journal: string): void {
  try {
    mkdirSync(journal, { recursive: true, mode: 0o700 });
  } catch (error) {
    // Something else is there: locking it says so.
    if (errorCode(error) !== "EEXIST") throw error;
  }
}
