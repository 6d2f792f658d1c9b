import { lstatSync, rmSync } from "node:fs";
import { AgentError } from "../errors.ts";

/** What is at a path: nothing, a socket, a regular file of some size, or anything else. Links are not followed. */
export type Found =
  | { readonly kind: "nothing" | "socket" | "other" }
  | { readonly kind: "file"; readonly size: number };

export function find(path: string): Found {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return { kind: "nothing" };
  if (stats.isFile()) return { kind: "file", size: stats.size };
  return { kind: stats.isSocket() ? "socket" : "other" };
}

/** Removes the socket that a dead agent left behind. Throws `ERR_SOCKET_PATH` when there is anything else: that is somebody's. */
export function removeStaleSocket(path: string): void {
  const { kind } = find(path);
  if (kind === "nothing") return;
  if (kind !== "socket") throw new AgentError("ERR_SOCKET_PATH", `${path} is there and is no socket`);
  rmSync(path);
}
