import { createLink, createLinkAsync } from "./attach.ts";
import { ATTACH_TYPES } from "./kernel-names.ts";
import type { BpfLink } from "./link.ts";
import { native } from "./native.ts";
import { type NetnsFd, netnsArgument } from "./netns.ts";
import type { BpfProgram } from "./program.ts";

/**
 * Attaches a program of type `sk_lookup` to a network namespace, where it chooses the listening socket of new connections
 * (Linux 5.9 or later, Documentation/bpf/prog_sk_lookup.rst). The namespace is named by its descriptor; nobody goes there.
 * @throws {LibbpfError} EINVAL (not a namespace, or a program of another type), E2BIG (64 programs are there), EPERM
 */
export function attachSkLookup({ program, netns }: { program: BpfProgram; netns: NetnsFd }): BpfLink {
  return createLink({ program, targetFd: netnsArgument(netns), attachType: "sk_lookup" });
}

/** {@link attachSkLookup} on a thread of libuv's pool. */
export async function attachSkLookupAsync({
  program,
  netns,
}: {
  program: BpfProgram;
  netns: NetnsFd;
}): Promise<BpfLink> {
  return createLinkAsync({ program, targetFd: netnsArgument(netns), attachType: "sk_lookup" });
}

/**
 * Ids of the `sk_lookup` programs of a network namespace, in running order: each of them may choose another socket or refuse the
 * connection (Documentation/bpf/prog_sk_lookup.rst).
 * @throws {LibbpfError} EINVAL (not a namespace), EPERM
 */
export function querySkLookup({ netns }: { netns: NetnsFd }): number[] {
  return native.targetQuery(netnsArgument(netns), ATTACH_TYPES.sk_lookup, 0);
}
