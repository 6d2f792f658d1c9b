import { join } from "node:path";
import type { NodeProxy } from "@millrace/core";
import { findNetns, findNetnsById, type LocalRouting } from "@millrace/host";
import { link, links, type Netns } from "linux-ts";
import { z } from "zod";
import type { Hook } from "./attachment.ts";
import type { ProxyEntry, Settings } from "./layout.ts";
import { readJson, writeNote } from "./pins.ts";

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

/** What the programs do with a slot; undefined: nothing is sent there. */
export function roleOf({ active, draining }: Settings, index: number): "active" | "draining" | undefined {
  if (active === index + 1) return "active";
  return (draining >> index) & 1 ? "draining" : undefined;
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
  return readJson(join(directory, "identity"), identitySchema);
}

/** The key of a proxy whose slot does not say any more whom it is for. */
const LOST_KEY = "unknown";

/**
 * Whom a slot is for by what the programs know of it, where its note cannot be read: enough to go on sending there, and to take all of it
 * down. Undefined where nothing is sent to it, or its veth is gone and what was made in its namespace is nobody's hindrance any more.
 */
export function lostIdentity({ ifindex, netnsid, mac }: ProxyEntry): SlotIdentity | undefined {
  const host = ifindex === 0 ? undefined : link(undefined, ifindex);
  const found = host && findNetnsById(netnsid);
  if (!host || !found) return undefined;
  using netns = found.netns;
  const inner = links(netns.fd).find((other) => other.mac === mac);
  if (inner === undefined) return undefined;
  return {
    key: LOST_KEY,
    name: host.name,
    netns: found.path,
    netnsInode: netns.inode,
    ifName: inner.name,
    hostName: host.name,
    hostIndex: host.index,
  };
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
  return readJson(join(directory, "routing"), routingSchema);
}

export function writeRouting({ directory }: Slot, { table, priority }: LocalRouting): void {
  writeNote(join(directory, "routing"), JSON.stringify({ table, priority }));
}
