import { HANDLE } from "./fd-owner.ts";
import { ATTACH_TYPES } from "./kernel-names.ts";
import { BpfLink } from "./link.ts";
import { native } from "./native.ts";
import { type Direction, type NetnsFd, netnsArgument } from "./netns.ts";
import type { BpfProgram } from "./program.ts";

export interface TcxHook {
  readonly ifindex: number;
  readonly direction: Direction;
  readonly netns?: NetnsFd;
}

export interface TcxAttachment extends TcxHook {
  /** Of type `sched_cls`. */
  readonly program: BpfProgram;
  /** Among the programs of the hook; without it the kernel appends, as `last` does. */
  readonly position?: "first" | "last";
}

/** What stands at a tcx hook. */
export interface TcxPrograms {
  /** Changes whenever the hook does; 1 when it never had a program. */
  readonly revision: bigint;
  /** In running order. `linkId` is 0 for a program that was attached without a link. */
  readonly programs: readonly { readonly programId: number; readonly linkId: number }[];
}

/** `BPF_F_BEFORE` and `BPF_F_AFTER` without a relative program: before, or after, all (kernel/bpf/mprog.c). */
const POSITIONS = { first: 8, last: 16 } as const;

/**
 * Attaches a program to a device by a tcx link (Linux 6.6 or later): see {@link probeTcx}. Blocks for 15–20 ms, because the
 * kernel waits for an RCU grace period: {@link attachTcxAsync} does the same on a pool thread.
 * @throws {LibbpfError} ENODEV, EINVAL (no tcx in this kernel, or a program of another type), EEXIST, ERANGE (64 programs are there), EPERM
 */
export function attachTcx(attachment: TcxAttachment): BpfLink {
  return new BpfLink(native.tcxAttach(...attachArguments(attachment)));
}

/** {@link attachTcx} on a thread of libuv's pool. Program and namespace descriptor may be closed as soon as this returns. */
export async function attachTcxAsync(attachment: TcxAttachment): Promise<BpfLink> {
  return new BpfLink(await native.tcxAttachAsync(...attachArguments(attachment)));
}

/**
 * Lists the programs at a tcx hook.
 * @throws {LibbpfError} ENODEV, EINVAL (no tcx in this kernel), EPERM
 */
export function queryTcx({ ifindex, direction, netns }: TcxHook): TcxPrograms {
  return native.tcxQuery(ifindex, attachType(direction), netnsArgument(netns));
}

function attachArguments({ program, ifindex, direction, netns, position }: TcxAttachment) {
  const flags = position === undefined ? 0 : POSITIONS[position];
  return [program[HANDLE], ifindex, attachType(direction), flags, netnsArgument(netns)] as const;
}

function attachType(direction: Direction): number {
  return ATTACH_TYPES[`tcx_${direction}`];
}
