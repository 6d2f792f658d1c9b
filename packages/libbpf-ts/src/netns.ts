import { native } from "./native.ts";

/**
 * A file descriptor of a network namespace, for instance of `/run/netns/x` or `/proc/123/ns/net`. The native call goes there,
 * works, and is back before it returns. Without it the call works in the process's own namespace.
 */
export type NetnsFd = number;

/** Side of a device: `ingress` is what the stack receives from it, `egress` what the stack sends through it. */
export type Direction = "ingress" | "egress";

export function netnsArgument(netns: NetnsFd | undefined): number {
  if (netns === undefined) return -1;
  if (!Number.isInteger(netns) || netns < 0) {
    throw Object.assign(new RangeError(`netns is no file descriptor: ${netns}`), { code: "ERR_OUT_OF_RANGE" });
  }
  return netns;
}

/**
 * The cookie of a network namespace, as `bpf_get_netns_cookie()` gives it to programs: never used twice while the machine runs, unlike
 * inode numbers (Linux 5.14 or later).
 * @throws {LibbpfError} EINVAL (not a namespace), ENOPROTOOPT (an older kernel), EPERM
 */
export function netnsCookie(netns?: NetnsFd): bigint {
  return native.netnsCookie(netnsArgument(netns));
}
