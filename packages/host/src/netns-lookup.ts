import { readdirSync, readlinkSync } from "node:fs";
import type { PodInterface } from "@millrace/core";
import { errorCode } from "@millrace/core/internal";
import { type Link, link, type Netns, netnsId, openNetns } from "linux-ts";
import { HostError } from "./errors.ts";

/**
 * Opens the network namespace an interface names, if it still is that one. The caller closes it.
 *
 * Throws `ERR_INTERFACE_GONE`.
 */
export function requireNetns(pod: PodInterface): Netns {
  const netns = openExisting(pod.netns);
  if (netns?.inode === pod.netnsInode) return netns;
  netns?.[Symbol.dispose]();
  throw new HostError(
    "ERR_INTERFACE_GONE",
    `${pod.netns} is ${netns ? "another network namespace by now" : "gone"}: the pod has been deleted or restarted, wait for its new interface`,
  );
}

/** The outer end of a pod's veth. Throws `ERR_INTERFACE_GONE` when no such interface is there, or another one under its index. */
export function requireHostLink(pod: PodInterface): Link {
  const found = link(undefined, pod.hostIndex);
  if (found?.name === pod.hostName) return found;
  throw new HostError(
    "ERR_INTERFACE_GONE",
    `interface ${pod.hostIndex} (${pod.hostName}) is ${found ? `${found.name} by now` : "gone"}: the pod has been deleted or ` +
      "restarted, wait for its new interface",
  );
}

/** Whether a pod's interface is not there any more: its namespace, or the outer end of its veth. */
export function isGone(pod: PodInterface): boolean {
  try {
    requireNetns(pod)[Symbol.dispose]();
    requireHostLink(pod);
    return false;
  } catch (error) {
    if (errorCode(error) === "ERR_INTERFACE_GONE") return true;
    throw error;
  }
}

/** A namespace by inode: under the path it had, else wherever a process still lives in it. The caller closes it. */
export function findNetns(path: string, inode: number): Netns | undefined {
  for (const candidate of candidates(path, inode)) {
    const netns = openExisting(candidate);
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
    const netns = openExisting(path);
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

/** ERR_NOT_A_NETNS: the empty file that ip-netns leaves when the mount over it is gone. */
function openExisting(path: string): Netns | undefined {
  try {
    return openNetns(path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ESRCH", "ERR_NOT_A_NETNS"].includes(errorCode(error))) return undefined;
    throw error;
  }
}
