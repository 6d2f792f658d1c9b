import { createLink, createLinkAsync, type LinkRequest } from "./attach.ts";
import type { BpfLink } from "./link.ts";
import { NETFILTER_FAMILIES, NETFILTER_HOOKS, type NetfilterFamily, type NetfilterHook } from "./netfilter-names.ts";
import type { NetnsFd } from "./netns.ts";
import type { BpfProgram } from "./program.ts";

export interface NetfilterAttachment {
  /** Of type `netfilter`. libbpf before 1.3 does not know its section: see {@link BpfObject.setProgramType}. */
  readonly program: BpfProgram;
  readonly family: NetfilterFamily;
  readonly hook: NetfilterHook;
  /** Lower runs first: `NF_IP_PRI_…` of include/uapi/linux/netfilter_ipv4.h. Not the least and the greatest number. */
  readonly priority: number;
  /** Put fragments together first; needs a priority above -400 (`NF_IP_PRI_CONNTRACK_DEFRAG`). */
  readonly defragment?: boolean;
  readonly netns?: NetnsFd;
}

/** `BPF_F_NETFILTER_IP_DEFRAG`, include/uapi/linux/bpf.h. */
const IP_DEFRAG = 1;

/**
 * Attaches a program to a netfilter hook of a network namespace (Linux 6.4 or later): see {@link probeNetfilter}.
 * @throws {LibbpfError} EINVAL (no such links in this kernel, or a program of another type), EAFNOSUPPORT, ERANGE or EINVAL (priority), EPERM
 */
export function attachNetfilter(attachment: NetfilterAttachment): BpfLink {
  return createLink(request(attachment));
}

/** {@link attachNetfilter} on a thread of libuv's pool. */
export async function attachNetfilterAsync(attachment: NetfilterAttachment): Promise<BpfLink> {
  return createLinkAsync(request(attachment));
}

function request({ program, family, hook, priority, defragment = false, netns }: NetfilterAttachment): LinkRequest {
  // link_create.netfilter: pf, hooknum, priority, flags
  const words = Uint32Array.of(
    NETFILTER_FAMILIES[family],
    NETFILTER_HOOKS[hook],
    priority32(priority),
    defragment ? IP_DEFRAG : 0,
  );
  return { program, attachType: "netfilter", netns, detail: new Uint8Array(words.buffer) };
}

/** A typed array would cut off the rest in silence. */
function priority32(priority: number): number {
  if (Number.isInteger(priority) && priority === (priority | 0)) return priority;
  throw Object.assign(new RangeError(`priority is no 32-bit integer: ${priority}`), { code: "ERR_OUT_OF_RANGE" });
}
