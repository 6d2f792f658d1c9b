import { HANDLE } from "./fd-owner.ts";
import { type ClsactArguments, type ClsactAttached, native } from "./native.ts";
import { type Direction, type NetnsFd, netnsArgument } from "./netns.ts";
import type { BpfProgram } from "./program.ts";

/** Names one filter of a device's clsact qdisc. */
export interface ClsactFilter {
  readonly ifindex: number;
  readonly direction: Direction;
  /** tc's `pref`, 1 to 65535: lower runs first. For attaching, 0 lets the kernel choose. */
  readonly priority: number;
  /** tc's `handle` within the priority, from 1. For attaching, 0 lets the kernel choose. */
  readonly handle: number;
  readonly netns?: NetnsFd;
}

export interface ClsactAttachment extends ClsactFilter {
  /** Of type `sched_cls`; attached with `direct-action`. */
  readonly program: BpfProgram;
  /** Replace what stands under that priority and handle. Without it that is EEXIST. */
  readonly replace?: boolean;
}

/** `enum bpf_tc_attach_point` of bpf/libbpf.h. */
const ATTACH_POINTS = { ingress: 1, egress: 2 } as const;

/**
 * Attaches a program as a filter of the clsact qdisc, which is created when the device has none. Unlike a link the filter
 * belongs to the device, not to this process: it stays until it is detached or the device goes. Waits for whoever holds
 * rtnetlink's lock, which may be many where pods are being made: {@link attachClsactAsync} does so on a pool thread.
 * @throws {LibbpfError} EEXIST, ENODEV, EINVAL, EPERM
 */
export function attachClsact(attachment: ClsactAttachment): ClsactAttached {
  return native.clsactAttach(...attachArguments(attachment));
}

/** {@link attachClsact} on a thread of libuv's pool. The program and the namespace may be closed as soon as this returns. */
export async function attachClsactAsync(attachment: ClsactAttachment): Promise<ClsactAttached> {
  return native.clsactAttachAsync(...attachArguments(attachment));
}

/**
 * Removes one filter, and never the qdisc: other filters may stand there. False: it was not there, or the device is gone.
 * @throws {LibbpfError} EINVAL (a filter of another kind stands there), EPERM
 */
export function detachClsact(filter: ClsactFilter): boolean {
  return native.clsactDetach(...filterArguments(filter));
}

/**
 * The program of one filter; undefined when there is no such filter, or no clsact qdisc.
 * @throws {LibbpfError} ENODEV, EINVAL (a filter of another kind stands there), EPERM
 */
export function queryClsact(filter: ClsactFilter): { programId: number } | undefined {
  const programId = native.clsactQuery(...filterArguments(filter));
  return programId === undefined ? undefined : { programId };
}

function attachArguments(attachment: ClsactAttachment): ClsactArguments {
  const { program, replace = false } = attachment;
  return [...filterArguments(attachment), program[HANDLE], replace];
}

function filterArguments({ ifindex, direction, priority, handle, netns }: ClsactFilter) {
  return [ifindex, ATTACH_POINTS[direction], priority, handle, netnsArgument(netns)] as const;
}
