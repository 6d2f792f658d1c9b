import { readdirSync, readlinkSync } from "node:fs";
import { errorCode } from "@millrace/core/internal";
import { type Netns, netnsId, openNetnsIfThere } from "linux-ts";

/** A namespace by inode: under the path it had, else wherever a process still lives in it. The caller closes it. */
export function findNetns(path: string, inode: number): Netns | undefined {
  for (const candidate of candidates(path, inode)) {
    const netns = openNetnsIfThere(candidate);
    if (netns?.inode === inode) return netns;
    netns?.[Symbol.dispose]();
  }
  return undefined;
}

/**
 * A namespace by the id that the present one has given it (RTM_GETNSID), and a path it has: under /run/netns, else wherever a process lives
 * in it. As costly as that sounds. The caller closes it.
 */
export function findNetnsById(id: number): { readonly path: string; readonly netns: Netns } | undefined {
  const seen = new Set<number>();
  for (const path of everywhere()) {
    const netns = openNetnsIfThere(path);
    if (netns === undefined) continue;
    if (!seen.has(netns.inode) && netnsId(netns.fd) === id) return { path, netns };
    seen.add(netns.inode);
    netns[Symbol.dispose]();
  }
  return undefined;
}

function* everywhere(): Generator<string> {
  for (const name of names("/run/netns")) yield `/run/netns/${name}`;
  for (const pid of names("/proc")) if (/^\d+$/.test(pid)) yield `/proc/${pid}/ns/net`;
}

/** ip-netns(8) makes the directory with the first namespace. */
function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

function* candidates(path: string, inode: number): Generator<string> {
  yield path;
  for (const pid of names("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const candidate = `/proc/${pid}/ns/net`;
    if (readLink(candidate) === `net:[${inode}]`) yield candidate;
  }
}

/** Processes come and go while /proc is read, and kernel threads refuse. */
function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (["ENOENT", "EACCES", "ESRCH"].includes(errorCode(error))) return undefined;
    throw error;
  }
}
