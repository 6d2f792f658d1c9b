import type { ForeignObject, Observation, ProxyObservation, Workload, WorkloadObservation } from "@millrace/core";
import { sortedUnique } from "@millrace/core/internal";
import { link, links, type Route } from "linux-ts";
import { portProblem } from "./bridge-lift.ts";
import { type LinkOf, memberPort } from "./bridge-of.ts";
import { shadowingRules } from "./clash/routing-clashes.ts";
import { wantedRouting } from "./clash/wanted.ts";
import { countersOf } from "./counters.ts";
import { inboundTunnel, memberRoutes, routeProblems } from "./host-routing.ts";
import { isSameEntry, type MemberEntry, wantedEntries } from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import type { SlotIdentity } from "./notes.ts";
import { sendingNow } from "./proxies.ts";
import { insideProblems } from "./proxy-netns.ts";
import { deviceOf, netnsOf, type ProxySlots } from "./proxy-slots.ts";
import { type NodeReading, readNode, sharedProblems } from "./shared.ts";

/** What to compare with: what was asked for since this process started. Without it nothing is missed that is there. */
export interface WantedNow {
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly nodeAddresses: readonly string[];
}

/** Reads back everything of ours from the kernel. */
export async function observe(context: NodeContext, slots: ProxySlots, wanted: WantedNow): Promise<Observation> {
  const reading = await readNode(context);
  const { entries, lift, rules, routing, routes } = reading;
  const tables: Tables = {
    linkOf: linksByIndex(),
    inbound: Map.groupBy(
      routes.filter(({ table }) => table === context.layout.tables.inbound),
      ({ dst }) => dst.replace(/\/\d+$/, ""),
    ),
    tunnel: inboundTunnel(context),
  };
  const uids = sortedUnique([...entries.uids(), ...wanted.workloads.keys()]);
  const sending = sendingNow(context, slots);
  const shadows = shadowsOf(context, routing);
  return {
    workloads: uids.map((uid) =>
      observeWorkload(context, uid, { entries, lift }, tables, shadows, wanted.workloads.get(uid)),
    ),
    proxies: await Promise.all(
      [...slots.all()].map(([index, identity]) =>
        observeProxy(context, slots, identity, index === sending.active ? "active" : "draining"),
      ),
    ),
    problems: sortedUnique(await sharedProblems(context, sending, reading)),
    // Nothing in the kernel depends on them: it is asked what is local for each packet.
    nodeAddresses: wanted.nodeAddresses,
    counters: countersOf([...rules.values()]),
    maps: entries.fills,
  };
}

/** What concerns several workloads, read once: what is done for each of them must not grow with their number. */
interface Tables {
  readonly linkOf: LinkOf;
  /** Routes to members, by address. */
  readonly inbound: ReadonlyMap<string, readonly Route[]>;
  /** Interface index of the tunnel that they lead to. */
  readonly tunnel: number | undefined;
}

function linksByIndex(): LinkOf {
  const byIndex = new Map(links().map((each) => [each.index, each]));
  return (index) => byIndex.get(index);
}

/** Rules of others that decide before ours where packets with these addresses go. */
type Shadows = (addresses: readonly string[]) => ForeignObject[];

function shadowsOf({ config }: NodeContext, routing: NodeReading["routing"]): Shadows {
  const wanted = wantedRouting(config);
  return (addresses) =>
    [...routing].flatMap(([family, rules]) =>
      shadowingRules(family, rules, wanted, addresses).map(({ kind, where, owner, effect }) => ({
        kind,
        where,
        owner,
        effect,
      })),
    );
}

function observeWorkload(
  context: NodeContext,
  uid: string,
  { entries, lift }: Pick<NodeReading, "entries" | "lift">,
  { linkOf, inbound, tunnel }: Tables,
  shadows: Shadows,
  wanted: Workload | undefined,
): WorkloadObservation {
  const present = entries.of(uid);
  const addresses = sortedUnique(present.filter(({ role }) => role === "to").map(({ element }) => element));
  const hostIndex = present[0]?.hostIndex ?? wanted?.interface.hostIndex ?? 0;
  const problems = [
    ...(present.length === 0 ? ["nothing of it is enrolled"] : []),
    ...(linkOf(hostIndex) ? [] : [`interface ${hostIndex} is gone`]),
    ...(wanted ? entryProblems(context, wanted, present, linkOf) : []),
    ...(wanted ? portProblem(() => memberPort(wanted, linkOf), lift) : []),
    ...routeProblems(
      memberRoutes(context, addresses, tunnel),
      addresses.flatMap((address) => inbound.get(address) ?? []),
    ),
  ];
  const foreign = shadows(addresses);
  return {
    uid,
    state: problems.length === 0 && foreign.length === 0 ? "complete" : "partial",
    problems: sortedUnique(problems),
    foreign,
    addresses,
    hostIndex,
  };
}

function entryProblems(
  context: NodeContext,
  workload: Workload,
  present: readonly MemberEntry[],
  linkOf: LinkOf,
): string[] {
  const { hostIndex, hostName } = workload.interface;
  const place = { device: deviceOf(hostIndex, hostName, linkOf), families: context.families };
  const wanted = wantedEntries(workload, workload.addresses, place);
  const enrolled = present.filter(({ role }) => role !== "settling");
  const show = ({ role, element, network }: MemberEntry): string =>
    network ? `entry ${element} for ${network.direction} ${network.cidr}` : `entry ${element} in ${role}`;
  return [
    ...wanted
      .filter((entry) => !enrolled.some((other) => isSameEntry(entry, other)))
      .map((entry) => `${show(entry)} is missing`),
    ...enrolled
      .filter((entry) => !wanted.some((other) => isSameEntry(entry, other)))
      .map((entry) => `${show(entry)} is left over`),
  ];
}

async function observeProxy(
  context: NodeContext,
  slots: ProxySlots,
  identity: SlotIdentity,
  role: ProxyObservation["role"],
): Promise<ProxyObservation> {
  const { key, hostName, hostIndex, ifName } = identity;
  using netns = netnsOf(identity);
  const problems = [
    ...(link(undefined, hostIndex)?.name === hostName
      ? slots.hostProblems(identity)
      : [`interface ${hostName} is gone`]),
    ...(netns ? [] : ["network namespace is gone"]),
    ...(netns && !link(netns.fd, ifName) ? [`interface ${ifName} is gone`] : []),
    ...(netns && link(netns.fd, ifName) ? await insideProblems(context, { netns, identity }) : []),
  ];
  const state = problems.length === 0 ? "complete" : "partial";
  return { key, role, state, problems: sortedUnique(problems), foreign: [] };
}
