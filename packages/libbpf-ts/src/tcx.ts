import { createLink, createLinkAsync, type LinkRequest } from "./attach.ts";
import { ATTACH_TYPES } from "./kernel-names.ts";
import { BpfLink } from "./link.ts";
import { native, type TcxQueryArguments } from "./native.ts";
import { type Direction, type NetnsFd, netnsArgument } from "./netns.ts";
import type { BpfProgram } from "./program.ts";

export interface TcxHook {
  readonly ifindex: number;
  readonly direction: Direction;
  readonly netns?: NetnsFd;
}

/** A link or program that is at the hook already. */
export type TcxNeighbour = BpfLink | BpfProgram;

export interface TcxAttachment extends TcxHook {
  /** Of type `sched_cls`. */
  readonly program: BpfProgram;
  /** Among the programs of the hook; without it the kernel appends, as `last` does. */
  readonly position?: "first" | "last" | { readonly before: TcxNeighbour } | { readonly after: TcxNeighbour };
  /** Attach only if the hook is still as {@link queryTcx} told with this revision. */
  readonly expectedRevision?: bigint;
}

/** What stands at a tcx hook. */
export interface TcxPrograms {
  /** Changes whenever the hook does; 1 when it never had a program. */
  readonly revision: bigint;
  /** In running order. `linkId` is 0 for a program that was attached without a link. */
  readonly programs: readonly { readonly programId: number; readonly linkId: number }[];
}

/** include/uapi/linux/bpf.h. Without a relative one, before and after mean all (kernel/bpf/mprog.c). */
const BPF_F_BEFORE = 8;
const BPF_F_AFTER = 16;
const BPF_F_LINK = 1 << 13;

/**
 * Attaches a program to a device by a tcx link (Linux 6.6 or later): see {@link probeTcx}. Blocks for 15–20 ms, because the
 * kernel waits for an RCU grace period: {@link attachTcxAsync} does the same on a pool thread.
 * @throws {LibbpfError} ENODEV, EINVAL (no tcx in this kernel, or a program of another type), EEXIST, ENOENT (the neighbour is not at this
 * hook), ESTALE (not the expected revision), ERANGE (64 programs are there), EPERM
 */
export function attachTcx(attachment: TcxAttachment): BpfLink {
  return createLink(request(attachment));
}

/** {@link attachTcx} on a thread of libuv's pool. Programs, links and namespace may be closed as soon as this returns. */
export async function attachTcxAsync(attachment: TcxAttachment): Promise<BpfLink> {
  return createLinkAsync(request(attachment));
}

/**
 * Lists the programs at a tcx hook.
 * @throws {LibbpfError} ENODEV, EINVAL (no tcx in this kernel), EPERM
 */
export function queryTcx(hook: TcxHook): TcxPrograms {
  return native.tcxQuery(...question(hook));
}

/** {@link queryTcx} on a thread of libuv's pool: the kernel takes rtnetlink's lock for it (kernel/bpf/tcx.c, tcx_prog_query()). */
export async function queryTcxAsync(hook: TcxHook): Promise<TcxPrograms> {
  return native.tcxQueryAsync(...question(hook));
}

const question = ({ ifindex, direction, netns }: TcxHook): TcxQueryArguments => [
  ifindex,
  ATTACH_TYPES[`tcx_${direction}`],
  netnsArgument(netns),
];

function request({ program, ifindex, direction, netns, position, expectedRevision = 0n }: TcxAttachment): LinkRequest {
  // link_create.tcx: relative_fd, a gap, expected_revision
  const detail = new Uint8Array(BigUint64Array.of(0n, expectedRevision).buffer);
  return { program, ifindex, attachType: `tcx_${direction}`, netns, detail, ...place(position) };
}

function place(position: TcxAttachment["position"]): Pick<LinkRequest, "flags" | "relativeFd"> {
  if (position === undefined) return {};
  if (position === "first") return { flags: BPF_F_BEFORE };
  if (position === "last") return { flags: BPF_F_AFTER };
  const [flag, neighbour] = "before" in position ? [BPF_F_BEFORE, position.before] : [BPF_F_AFTER, position.after];
  return { flags: flag | (neighbour instanceof BpfLink ? BPF_F_LINK : 0), relativeFd: neighbour.fd };
}
