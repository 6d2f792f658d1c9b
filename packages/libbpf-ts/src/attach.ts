import { HANDLE } from "./fd-owner.ts";
import { ATTACH_TYPES, type AttachType } from "./kernel-names.ts";
import { BpfLink } from "./link.ts";
import { type LinkArguments, native } from "./native.ts";
import { type NetnsFd, netnsArgument } from "./netns.ts";
import type { BpfProgram } from "./program.ts";

/** What one kind of link needs of `BPF_LINK_CREATE`. */
export interface LinkRequest {
  readonly program: BpfProgram;
  readonly attachType: AttachType;
  /** A cgroup or a network namespace. */
  readonly targetFd?: number;
  /** A device. */
  readonly ifindex?: number;
  readonly flags?: number;
  /** Where the call is made. */
  readonly netns?: NetnsFd | undefined;
  /** A link or program at the hook, before or after which this one goes. */
  readonly relativeFd?: number | undefined;
  /** The members behind `flags`, at most 16 bytes. */
  readonly detail?: Uint8Array;
}

const NONE = -1;
const NO_DETAIL = new Uint8Array();

export function createLink(request: LinkRequest): BpfLink {
  return new BpfLink(native.linkCreate(...linkArguments(request)));
}

/** On a thread of libuv's pool. All descriptors may be closed as soon as this returns. */
export async function createLinkAsync(request: LinkRequest): Promise<BpfLink> {
  return new BpfLink(await native.linkCreateAsync(...linkArguments(request)));
}

function linkArguments({
  program,
  attachType,
  targetFd = NONE,
  ifindex = 0,
  flags = 0,
  netns,
  relativeFd = NONE,
  detail = NO_DETAIL,
}: LinkRequest): LinkArguments {
  const type = ATTACH_TYPES[attachType];
  return [program[HANDLE], targetFd, ifindex, type, flags, netnsArgument(netns), relativeFd, detail];
}
