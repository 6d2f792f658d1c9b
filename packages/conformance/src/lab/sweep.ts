import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../errors.ts";
import { NETNS_DIRECTORY } from "./namespace.ts";
import { abandonedLabs, disclaim, labDirectory } from "./owner.ts";
import { processesIn } from "./process-table.ts";

/**
 * Removes everything of a lab: processes, mounts, namespaces, directory, and at last the file that names its owner. Needs
 * no memory of what was made and may be called again at any point. It is synchronous, so that a signal handler can use it.
 * Throws ERR_LAB_LEFTOVER.
 */
export function destroyLab(prefix: string): void {
  const namespaces = namespacesOf(prefix);
  endProcesses(prefix, namespaces);
  for (const mount of mountsUnder(labDirectory(prefix))) checked("umount", [mount]);
  if (namespaces.length > 0) {
    checked("ip", ["-batch", "-"], namespaces.map((name) => `netns del ${name}\n`).join(""));
  }
  rmSync(labDirectory(prefix), { recursive: true, force: true });
  disclaim(prefix);
}

/** Destroys the labs whose owner died without doing so; returns their prefixes. */
export function sweepLabs(): string[] {
  const abandoned = abandonedLabs();
  for (const prefix of abandoned) destroyLab(prefix);
  return abandoned;
}

/** Names of the network namespaces of a lab. */
export function namespacesOf(prefix: string): string[] {
  if (!existsSync(NETNS_DIRECTORY)) return [];
  return readdirSync(NETNS_DIRECTORY).filter((name) => name.startsWith(`${prefix}-`));
}

/** Mount points below a directory, deepest first (`proc_pid_mountinfo(5)`, field 5). */
export function mountsUnder(directory: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${directory}/`))
    .reverse();
}

/** Whatever runs in a namespace of the lab belongs to the lab; nothing else is touched. */
function endProcesses(prefix: string, namespaces: readonly string[]): void {
  // Without its nsfs mount the file is a plain one, with an inode number that no namespace has: harmless.
  const inodes = new Set(namespaces.map((name) => statSync(join(NETNS_DIRECTORY, name)).ino));
  const deadline = performance.now() + 5_000;
  for (;;) {
    const pids = processesIn(inodes);
    if (pids.length === 0) return;
    for (const pid of pids) endProcess(pid);
    if (performance.now() > deadline) {
      throw new LabError("ERR_LAB_LEFTOVER", `processes ${pids.join(", ")} of lab ${prefix} survive SIGKILL`);
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function checked(file: string, args: readonly string[], input = ""): void {
  const result = spawnSync(file, args, { input, encoding: "utf8" });
  if (result.status !== 0) {
    throw new LabError("ERR_LAB_LEFTOVER", `${[file, ...args].join(" ")} failed; run it by hand to see why`, {
      details: result.stderr || input,
      cause: result.error,
    });
  }
}
