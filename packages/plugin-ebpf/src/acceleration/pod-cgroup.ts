import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EbpfError } from "../errors.ts";

/** Cgroups that have all pods of a node and nothing else: of the kubelet's drivers systemd and cgroupfs (kubelet, pkg/kubelet/cm/cgroup_manager_linux.go). */
const POD_CGROUPS = ["kubepods.slice", "kubepods"];

/**
 * The cgroup that the acceleration's programs are attached to: the one of all pods where it is found, else the root of the hierarchy,
 * whose other sockets cost one lookup for each connection that they open. `configured`: `auto`, or the directory to be used.
 *
 * Throws `ERR_ACCELERATION_UNSUPPORTED` where there is no cgroup 2 hierarchy.
 */
export function podCgroup(configured: string, mounts = readFileSync("/proc/self/mounts", "utf8")): string {
  if (configured !== "auto") return configured;
  const root = mounts
    .split("\n")
    .map((line) => line.split(" "))
    .find(([, , type]) => type === "cgroup2")?.[1];
  if (root === undefined) {
    throw new EbpfError(
      "ERR_ACCELERATION_UNSUPPORTED",
      "no cgroup 2 hierarchy is mounted here: mount the node's /sys/fs/cgroup into the agent's container, or set acceleration to off",
    );
  }
  return POD_CGROUPS.map((name) => join(root, name)).find((path) => existsSync(path)) ?? root;
}
