import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { DiscoveryPlaces } from "./discovery-pass.ts";
import { listPids } from "./pod-processes.ts";

export interface NetnsFile {
  readonly path: string;
  readonly inode: number;
}

/**
 * Every network namespace that a file leads to, each once: first the bind mounts of the runtimes, sorted by name, since their
 * paths outlive processes; then `/proc/<pid>/ns/net` for namespaces that have no bind mount.
 */
export async function listNetns({ netnsDirectories, procfs }: DiscoveryPlaces): Promise<NetnsFile[]> {
  const paths: string[] = [];
  for (const directory of netnsDirectories) {
    for (const name of (await readIfThere(directory)).sort()) paths.push(join(directory, name));
  }
  for (const pid of await listPids(procfs)) paths.push(join(procfs, String(pid), "ns/net"));

  const found = new Map<number, NetnsFile>();
  for (const path of paths) {
    const inode = await netnsInode(path);
    if (inode !== undefined && !found.has(inode)) found.set(inode, { path, inode });
  }
  return [...found.values()];
}

/** Which directories exist depends on the container runtime, so a missing one says nothing. */
async function readIfThere(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Undefined when the file went away meanwhile, or belongs to a process whose namespaces may not be seen. */
async function netnsInode(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ESRCH" || code === "EACCES" || code === "EPERM") return undefined;
    throw error;
  }
}
