import { FdOwner, HANDLE } from "./fd-owner.ts";
import { ATTACH_TYPES, type AttachType, LINK_TYPES, type LinkType, nameOf, type UnknownType } from "./kernel-names.ts";
import { KIND, type LinkHandle, native } from "./native.ts";
import type { BpfProgram } from "./program.ts";

/** What the kernel says about a link. */
export interface LinkInfo {
  readonly id: number;
  readonly type: LinkType | UnknownType;
  readonly programId: number;
  /** tcx, netkit, xdp: the device, numbered in its own network namespace; 0: the device is gone, or the link was detached. */
  readonly ifindex?: number;
  /** tcx, netkit, netns. */
  readonly attachType?: AttachType | UnknownType;
  /** netns: inode number of the namespace; 0: it is gone, or the link was detached. */
  readonly netnsInode?: number;
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
    const { attachType, type, ...rest } = native.linkInfo(this[HANDLE]);
    const named = { ...rest, type: nameOf(LINK_TYPES, type) };
    return attachType === undefined ? named : { ...named, attachType: nameOf(ATTACH_TYPES, attachType) };
  }

  /**
   * Puts another program in this one's place, atomically: no packet meets neither or both.
   * @throws {LibbpfError} ENOLINK (device gone), EINVAL (other program type), ERR_CLOSED
   */
  update(program: BpfProgram): void {
    native.linkUpdate(this[HANDLE], program[HANDLE]);
  }

  /**
   * Takes the program off its hook at once, whoever else refers to the link; the link itself stays, defunct. A tcx link waits
   * for an RCU grace period: 10 ms and more. Again is harmless.
   * @throws {LibbpfError} EOPNOTSUPP (links of this type cannot be detached), ERR_CLOSED
   */
  detach(): void {
    native.linkDetach(this[HANDLE]);
  }

  /** {@link detach} on a thread of libuv's pool; disposing the link afterwards does not wait any more. */
  async detachAsync(): Promise<void> {
    await native.linkDetachAsync(this[HANDLE]);
  }
}
