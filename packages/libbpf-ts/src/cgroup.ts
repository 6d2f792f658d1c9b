import { closeSync, constants, openSync } from "node:fs";
import { createLink, createLinkAsync } from "./attach.ts";
import { fileSystemCall } from "./errors.ts";
import { ATTACH_TYPES, type AttachType } from "./kernel-names.ts";
import type { BpfLink } from "./link.ts";
import { native } from "./native.ts";
import type { BpfProgram } from "./program.ts";

/** Hooks of a cgroup: packets, sockets, `sock_ops`, addresses, socket options, sysctls. */
export type CgroupAttachType = Extract<AttachType, `cgroup_${string}`>;

export interface CgroupHook {
  /** A directory of a cgroup 2 hierarchy, or a descriptor of it. */
  readonly cgroup: string | number;
  readonly attachType: CgroupAttachType;
}

export interface CgroupAttachment extends CgroupHook {
  /** Of the type that the hook wants: `cgroup_skb`, `sock_ops`, `cgroup_sock_addr`, … */
  readonly program: BpfProgram;
}

/** `BPF_F_QUERY_EFFECTIVE`, include/uapi/linux/bpf.h. */
const BPF_F_QUERY_EFFECTIVE = 1;

/**
 * Attaches a program to a cgroup by a link (Linux 5.7 or later): it runs for the processes of that cgroup and of those below it,
 * beside other programs.
 * @throws {LibbpfError} ENOENT, EBADF (no cgroup), EINVAL (a program of another type), EPERM (an ancestor has a program that allows no others)
 */
export function attachCgroup({ program, cgroup, attachType }: CgroupAttachment): BpfLink {
  using target = openCgroup(cgroup);
  return createLink({ program, targetFd: target.fd, attachType });
}

/** {@link attachCgroup} on a thread of libuv's pool. */
export async function attachCgroupAsync({ program, cgroup, attachType }: CgroupAttachment): Promise<BpfLink> {
  using target = openCgroup(cgroup);
  return await createLinkAsync({ program, targetFd: target.fd, attachType });
}

/**
 * Ids of the programs at a hook of a cgroup, in running order.
 * @param effective with those of the cgroups above, as they run for its processes
 * @throws {LibbpfError} ENOENT, EBADF (no cgroup), EPERM
 */
export function queryCgroup({ cgroup, attachType, effective = false }: CgroupHook & { effective?: boolean }): number[] {
  using target = openCgroup(cgroup);
  return native.targetQuery(target.fd, ATTACH_TYPES[attachType], effective ? BPF_F_QUERY_EFFECTIVE : 0);
}

function openCgroup(cgroup: string | number): Disposable & { readonly fd: number } {
  if (typeof cgroup === "number") return { fd: cgroup, [Symbol.dispose]: () => {} };
  const fd = fileSystemCall("open", () => openSync(cgroup, constants.O_RDONLY | constants.O_DIRECTORY));
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}
