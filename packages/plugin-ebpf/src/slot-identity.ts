import { join } from "node:path";
import type { NodeProxy } from "@millrace/core";
import { findNetns, type LocalRouting } from "@millrace/host";
import { link, type Netns } from "linux-ts";
import { z } from "zod";
import type { Hook } from "./attachment.ts";
import { readNote, writeNote } from "./pins.ts";

/** Holder of the sysctls that a slot needs changed. */
export const SYSCTL_HOLDER = "ebpf";

const identitySchema = z.strictObject({
  key: z.string(),
  name: z.string(),
  netns: z.string(),
  netnsInode: z.int(),
  ifName: z.string(),
  hostName: z.string(),
  hostIndex: z.int(),
});

const routingSchema = z.strictObject({ table: z.int(), priority: z.int() });

/** Whom a slot is for, and how to find its namespace again after a restart. */
export type SlotIdentity = z.output<typeof identitySchema>;

export interface Slot {
  readonly index: number;
  readonly directory: string;
  /** Undefined: the crash came before the slot had one. */
  readonly identity: SlotIdentity | undefined;
}

export interface NamedSlot extends Slot {
  readonly identity: SlotIdentity;
}

/**
 * The proxy's network namespace, while its veth is there. Inode numbers of namespaces are given out again soon: without the veth, what
 * has the number now may be anybody's. The caller closes it.
 */
export function netnsOf({ netns, netnsInode, hostName, hostIndex }: SlotIdentity): Netns | undefined {
  return link(undefined, hostIndex)?.name === hostName ? findNetns(netns, netnsInode) : undefined;
}

/** Hook on the outer end of a proxy's veth, in the node's namespace. */
export function hostHook({ directory, identity }: NamedSlot): Hook {
  return {
    netns: undefined,
    ifindex: identity.hostIndex,
    ifName: identity.hostName,
    direction: "ingress",
    program: "ztunnel_host_in",
    directory: join(directory, "links", "host"),
  };
}

/** Hook on its inner end, in the proxy's namespace. */
export function innerHook({ directory, identity }: NamedSlot, netns: number, ifindex: number): Hook {
  const ifName = `${identity.ifName} of proxy ${identity.name}`;
  return {
    netns,
    ifindex,
    ifName,
    direction: "ingress",
    program: "ztunnel_tproxy",
    directory: join(directory, "links", "inner"),
  };
}

/** The identity that a proxy's slot has. */
export function identityOf({ key, name, interface: pod }: NodeProxy): SlotIdentity {
  return {
    key,
    name,
    netns: pod.netns,
    netnsInode: pod.netnsInode,
    ifName: pod.name,
    hostName: pod.hostName,
    hostIndex: pod.hostIndex,
  };
}

export function readIdentity(directory: string): SlotIdentity | undefined {
  const text = readNote(join(directory, "identity"));
  return text === undefined ? undefined : identitySchema.parse(JSON.parse(text));
}

/** The node's namespace has sysctls of several proxies, so each slot holds its own by the name of its interface. */
export function hostHolder({ hostName }: SlotIdentity): string {
  return `${SYSCTL_HOLDER}/${hostName}`;
}

/** Where it is noted that DNS rules were written in the proxy's namespace. */
export function dnsNote({ directory }: Slot): string {
  return join(directory, "dns");
}

export function writeIdentity({ directory, identity }: NamedSlot): void {
  writeNote(join(directory, "identity"), JSON.stringify(identity));
}

/** The routing that was set up in the proxy's namespace: the configuration may have changed since. */
export function readRouting({ directory }: Slot): LocalRouting | undefined {
  const text = readNote(join(directory, "routing"));
  return text === undefined ? undefined : routingSchema.parse(JSON.parse(text));
}

export function writeRouting({ directory }: Slot, { table, priority }: LocalRouting): void {
  writeNote(join(directory, "routing"), JSON.stringify({ table, priority }));
}
