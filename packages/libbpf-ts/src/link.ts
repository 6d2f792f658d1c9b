import { FdOwner, HANDLE } from "./fd-owner.ts";
import { ATTACH_TYPES, type AttachType, LINK_TYPES, type LinkType, nameOf, type UnknownType } from "./kernel-names.ts";
import { KIND, type LinkHandle, type NativeLinkInfo, native } from "./native.ts";
import { NETFILTER_FAMILIES, NETFILTER_HOOKS, type NetfilterFamily, type NetfilterHook } from "./netfilter-names.ts";
import type { BpfProgram } from "./program.ts";

/** What the kernel says about a link. */
export interface LinkInfo {
  readonly id: number;
  readonly type: LinkType | UnknownType;
  readonly programId: number;
  /** tcx, netkit, xdp: the device, numbered in its own network namespace; 0: the device is gone, or the link was detached. */
  readonly ifindex?: number;
  /** tcx, netkit, netns, cgroup. */
  readonly attachType?: AttachType | UnknownType;
  /** netns: inode number of the namespace; 0: it is gone, or the link was detached. */
  readonly netnsInode?: number;
  /** cgroup: its id, the inode number of its directory; 0: the link was detached. */
  readonly cgroupId?: bigint;
  /** netfilter. */
  readonly family?: NetfilterFamily | UnknownType;
  readonly hook?: NetfilterHook | UnknownType;
  readonly priority?: number;
}

/**
 * A BPF link: a program at a hook. It lives as long as a descriptor or a pin refers to it; when the last one goes, the program
 * is detached. So disposing an unpinned link detaches, disposing a pinned one does not.
 */
export class BpfLink extends FdOwner<LinkHandle> {
  /**
   * Opens the link pinned at that path.
   * @throws {LibbpfError} ENOENT, ERR_WRONG_KIND, EACCES, EINVAL (no BPF file system)
   */
  static openPinned(path: string): BpfLink {
    return new BpfLink(native.openPinned(KIND.link, path) as LinkHandle);
  }

  /**
   * Opens a link by its id (needs CAP_SYS_ADMIN).
   * @throws {LibbpfError} ENOENT, EPERM
   */
  static byId(id: number): BpfLink {
    return new BpfLink(native.openById(KIND.link, id) as LinkHandle);
  }

  /**
   * Asked anew each time: devices and namespaces go away.
   * @throws {LibbpfError} ERR_CLOSED
   */
  info(): LinkInfo {
    return named(native.linkInfo(this[HANDLE]));
  }

  /** {@link info} on a thread of libuv's pool: of a tcx link the kernel tells it under rtnetlink's lock (kernel/bpf/tcx.c, tcx_link_fill_info()). */
  async infoAsync(): Promise<LinkInfo> {
    return named(await native.linkInfoAsync(this[HANDLE]));
  }

  /**
   * Puts another program in this one's place, atomically: no packet meets neither or both.
   * @param expected only if this is the program that is there
   * @throws {LibbpfError} EPERM (not the expected one), ENOLINK (device gone), EINVAL (other program type), ENOTSUP (links of this type
   * keep their program), ERR_CLOSED
   */
  update(program: BpfProgram, expected?: BpfProgram): void {
    native.linkUpdate(this[HANDLE], program[HANDLE], expected === undefined ? -1 : expected.fd);
  }

  /**
   * Takes the program off its hook at once, whoever else refers to the link; the link itself stays, defunct. A tcx link waits
   * for an RCU grace period: 10 ms and more. Again is harmless.
   * @throws {LibbpfError} ENOTSUP (links of this type cannot be detached), ERR_CLOSED
   */
  detach(): void {
    native.linkDetach(this[HANDLE]);
  }

  /** {@link detach} on a thread of libuv's pool; disposing the link afterwards does not wait any more. */
  async detachAsync(): Promise<void> {
    await native.linkDetachAsync(this[HANDLE]);
  }
}

function named({ attachType, type, family, hook, ...rest }: NativeLinkInfo): LinkInfo {
  return {
    ...rest,
    type: nameOf(LINK_TYPES, type),
    ...(attachType === undefined ? {} : { attachType: nameOf(ATTACH_TYPES, attachType) }),
    ...(family === undefined ? {} : { family: nameOf(NETFILTER_FAMILIES, family) }),
    ...(hook === undefined ? {} : { hook: nameOf(NETFILTER_HOOKS, hook) }),
  };
}
