import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

// The tutorial looks for its lab, and takes down whatever lab is kept. Those that others have on this machine are none of its business: they are not to be
// seen in the mount namespace that this runs in.

const LABS = "/run/millrace-lab";
const HIDDEN = [LABS, "/run/netns"];
const MARK = "MILLRACE_PLUGINS_MOUNTS";

export const isAmongOwnLabs = (): boolean => process.env[MARK] !== undefined;

/** Runs this program again where there are no labs but its own. Returns its exit status. */
export function runAmongOwnLabs(): number {
  const mounts = HIDDEN.map((path) => `mkdir -p ${path} && mount -t tmpfs tmpfs ${path}`).join(" && ");
  const command = ["unshare", "--mount", "sh", "-c", `${mounts} && exec "$@"`, "sh", process.execPath];
  const [file = "", ...args] = [...command, ...process.argv.slice(1)];
  const { status, error } = spawnSync(file, args, { stdio: "inherit", env: { ...process.env, [MARK]: "1" } });
  if (error !== undefined) throw error;
  return status ?? 1;
}

/** Asks whoever keeps a lab up to take it down: a tutorial that failed half way leaves one. */
export async function endKeptLabs(): Promise<void> {
  const owners = () => globSync(`${LABS}/*.owner.json`);
  for (const file of owners()) process.kill(JSON.parse(readFileSync(file, "utf8")).pid, "SIGTERM");
  for (const deadline = performance.now() + 60_000; owners().length > 0; await sleep(50))
    if (performance.now() > deadline) throw new Error(`nobody takes down ${owners().join(", ")}`);
}
