import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ForeignObject, ProxyObservation } from "@millrace/core";
import { sortedUnique } from "@millrace/core/internal";
import { type LocalRouting, looseReversePath, routingProblems } from "@millrace/host";
import { BpfProgram } from "libbpf-ts";
import { link, netnsId } from "linux-ts";
import { flagged } from "./address-flags.ts";
import { openLink } from "./attach-tcx.ts";
import { dnsProblems } from "./dns-rules.ts";
import { ADDRESS_PROXY, PROXY_DNS, type ProgramName } from "./layout.ts";
import { areNoted } from "./loaded-from.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { hookProblems } from "./observe.ts";
import { ownAddresses } from "./proxy-addresses.ts";
import { foreignLookups, lookupPin } from "./sk-lookup-link.ts";
import {
  dnsNote,
  hostHolder,
  hostHook,
  innerHook,
  type NamedSlot,
  netnsOf,
  readRouting,
  type SlotIdentity,
  SYSCTL_HOLDER,
} from "./slot-identity.ts";

/** What the kernel holds for one proxy, on the node's side and in the proxy's namespace. */
export async function observeProxy(
  kernel: NodeKernel,
  slot: NamedSlot,
  role: "active" | "draining",
  wantsDns: boolean,
): Promise<ProxyObservation> {
  const { identity } = slot;
  using netns = netnsOf(identity);
  const inner = netns && link(netns.fd, identity.ifName);
  const problems = [
    ...hostProblems(kernel, slot),
    ...(netns ? [] : ["network namespace is gone"]),
    ...(netns && !inner ? [`interface ${identity.ifName} is gone`] : []),
    ...(netns && inner ? innerProblems(kernel, slot, netns, inner, wantsDns) : []),
    ...(netns && inner && wantsDns ? await dnsProblems({ netns, ifName: identity.ifName, note: dnsNote(slot) }) : []),
  ];
  const foreign = [
    ...(isHostThere(identity) ? kernel.hooks.inspect(hostHook(slot)).ahead : []),
    ...(netns && inner ? innerForeign(kernel, slot, netns, inner.index) : []),
  ];
  return {
    key: identity.key,
    role,
    state: problems.length === 0 && foreign.length === 0 ? "complete" : "partial",
    problems: sortedUnique(problems),
    foreign,
  };
}

function isHostThere({ hostIndex, hostName }: SlotIdentity): boolean {
  return link(undefined, hostIndex)?.name === hostName;
}

function hostProblems({ hooks, object, journal, netnsInode }: NodeKernel, slot: NamedSlot): string[] {
  const { hostName } = slot.identity;
  if (!isHostThere(slot.identity)) return [`interface ${hostName} is gone`];
  const node = { fd: undefined, inode: netnsInode };
  const hook = hostHook(slot);
  const state = hooks.inspect(hook);
  return [
    ...hookProblems(hook, state, object.program(hook.program).info.id),
    ...journal.drifted(hostHolder(slot.identity), node),
    ...looseReversePath(node, hostName).map(({ path }) => `sysctl ${path} is strict`),
  ];
}

function innerProblems(
  { hooks, maps, journal, config }: NodeKernel,
  slot: NamedSlot,
  netns: { readonly fd: number; readonly inode: number },
  inner: { readonly index: number; readonly mac: string },
  wantsDns: boolean,
): string[] {
  const { ifName, hostIndex } = slot.identity;
  const hook = innerHook(slot, netns.fd, inner.index);
  const state = hooks.inspect(hook);
  const present = maps.proxy(slot.index);
  // Once it takes DNS it goes on doing so, also when no member's is captured any more.
  const flags = wantsDns ? PROXY_DNS : present.flags;
  const wanted = { ifindex: hostIndex, netnsid: netnsId(netns.fd) ?? 0, mac: inner.mac, flags };
  const proxyAddresses = flagged(maps, ADDRESS_PROXY);
  return [
    ...hookProblems(hook, state, pinnedProgramId(slot, "ztunnel_tproxy")),
    ...lookupProblems(slot, netns),
    ...noteProblems(slot),
    ...missingMaps(slot).map((name) => `map ${name} has lost its pin`),
    ...(JSON.stringify(present) === JSON.stringify(wanted) ? [] : ["entry in proxies differs"]),
    ...routingProblems({ netns, ifNames: [ifName] }, config.routing),
    ...(isNoted(slot, config.routing) ? [] : ["its routing is not noted"]),
    ...journal.drifted(SYSCTL_HOLDER, netns),
    ...ownAddresses(netns.fd)
      .filter((address) => !proxyAddresses.includes(address))
      .map((address) => `address ${address} is not noted as the proxy's`),
  ];
}

/** What is set up in the proxy's namespace is known by the note, should the configuration change. */
function isNoted(slot: NamedSlot, { table, priority }: LocalRouting): boolean {
  const noted = readRouting(slot);
  return noted?.table === table && noted.priority === priority;
}

function innerForeign(
  { hooks }: NodeKernel,
  slot: NamedSlot,
  netns: { readonly fd: number },
  ifindex: number,
): ForeignObject[] {
  using lookup = openLink(lookupPin(slot));
  return [
    ...hooks.inspect(innerHook(slot, netns.fd, ifindex)).ahead,
    ...foreignLookups(slot, netns.fd, lookup?.info().programId),
  ];
}

/** Where the note is missing or of other programs, the next start loads what is pinned already. */
function noteProblems(slot: NamedSlot): string[] {
  const programs = ["ztunnel_lookup", "ztunnel_tproxy"] as const;
  const pinned = Object.fromEntries(programs.map((name) => [name, pinnedProgramId(slot, name)]));
  return areNoted(join(slot.directory, "programs"), pinned) ? [] : ["what its programs were loaded from is not noted"];
}

function lookupProblems(slot: NamedSlot, netns: { readonly inode: number }): string[] {
  using lookup = openLink(lookupPin(slot));
  const info = lookup?.info();
  if (info?.netnsInode !== netns.inode) return ["ztunnel_lookup is not attached"];
  return info.programId === pinnedProgramId(slot, "ztunnel_lookup") ? [] : ["ztunnel_lookup is another version"];
}

/** What a proxy's hooks have to run; undefined when somebody removed the pin. */
function pinnedProgramId({ directory }: NamedSlot, name: ProgramName): number | undefined {
  const pin = join(directory, "programs", name);
  if (!existsSync(pin)) return undefined;
  using program = BpfProgram.openPinned(pin);
  return program.info.id;
}

/** Of the proxy's own object (bpf/include/proxy-maps.h). By their pins the next run finds what its programs know. */
const PROXY_MAPS: readonly string[] = ["flows", "listeners", "unanswered"];

const missingMaps = ({ directory }: NamedSlot): string[] =>
  PROXY_MAPS.filter((name) => !existsSync(join(directory, "maps", name)));
