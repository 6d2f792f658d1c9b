import { errorCode } from "@millrace/core/internal";
import { openNetns } from "linux-ts";

/** An interface that a CNI ADD told of. */
export interface Attachment {
  readonly containerId: string;
  /** Pod UID. */
  readonly uid: string;
  readonly ifName: string;
  /** Path of the pod's network namespace, and its inode at the time of the ADD. */
  readonly netns: string;
  readonly netnsInode: number;
}

type Named = Pick<Attachment, "containerId" | "ifName">;

/**
 * The attachments that are not among the valid ones and whose network namespace is gone. The runtime lists the attachments of one
 * network, and the agent does not know to which network an interface belongs: a pod of another network still has its namespace,
 * so it stays. (A runtime "MUST NOT use GC as a substitute for DEL", so no more is needed: CNI spec, "GC".)
 */
export function staleAttachments<T extends Attachment>(known: readonly T[], valid: readonly Named[]): T[] {
  const kept = new Set(valid.map(key));
  return known.filter((attachment) => !kept.has(key(attachment)) && isGone(attachment));
}

/** Neither part of an attachment's name may hold a slash. */
function key({ containerId, ifName }: Named): string {
  return `${containerId}/${ifName}`;
}

/** Only what is certain: a namespace that cannot be opened for another reason, such as too many open files, may well be there. */
function isGone({ netns, netnsInode }: Attachment): boolean {
  try {
    using open = openNetns(netns);
    return open.inode !== netnsInode;
  } catch (error) {
    const code = errorCode(error);
    return code === "ENOENT" || code === "ERR_NOT_A_NETNS";
  }
}
