import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Ours as `make build` leaves it, and the CNI project's as Debian has them, which `make setup` unpacks. */
export const CNI_PATH: readonly string[] = [
  fileURLToPath(new URL("../../cni/build", import.meta.url)),
  join(process.env.MILLRACE_CACHE ?? join(homedir(), ".cache/millrace"), "containernetworking-plugins/usr/lib/cni"),
];

/** Of the CNI specification that both keep: Debian's plugins are older than 1.1.0. */
export const CNI_VERSION = "1.0.0";

/** Our entry in a network; all else is at its default. */
export const ownEntry = (socket: string) => ({ type: "millrace", socket, deadlineSeconds: 30 });
