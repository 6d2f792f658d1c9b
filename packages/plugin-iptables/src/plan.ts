import type {
  NodeProxy,
  PlannedWorkload,
  PluginContext,
  RedirectionPlan,
  Refusal,
  WantedRedirection,
  Workload,
} from "@millrace/core";
import { errorCode } from "@millrace/core/internal";
import { currentNetns, type RouteSpec } from "linux-ts";
import { requireSuitable } from "./bridge-lift.ts";
import { describeClash } from "./clash/clash.ts";
import type { IptablesConfig } from "./config.ts";
import { explainFailure } from "./errors.ts";
import { inboundTunnel, memberRoutes, outboundTunnel, wantedRoutes, wantedRules } from "./host-routing.ts";
import { hostInput } from "./host-rule-input.ts";
import { InterfacePlaces } from "./interface-sets.ts";
import { interfaceSet, type Layout, layoutOf, setsOf } from "./layout.ts";
import { addLines, type MemberEntry, networksOf } from "./members.ts";
import { chooseForNode, nodeClashes } from "./node-choice.ts";
import type { NodeContext } from "./node-context.ts";
import { Notes, type SlotIdentity } from "./notes.ts";
import { identityOf, requireProxy } from "./proxy-slots.ts";
import { hostRules } from "./rules/host-rules.ts";
import { renderChains } from "./rules/ruleset.ts";
import { addressesInUse, type Plan, planOf } from "./workload-plan.ts";

/** Stands for the interface index of a tunnel that is not there yet. */
const TO_BE_MADE = -1;

type Planned = Pick<NodeContext, "layout" | "policy" | "families" | "port" | "flavour" | "tunnel" | "signal">;

/**
 * What opening the redirection and applying all of this would write: by the functions that write it, in the words of ip(8), ipset(8) and
 * iptables-restore(8). Reads the node; writes into network namespaces of its own only.
 */
export async function planRedirection(
  context: PluginContext<IptablesConfig>,
  { proxies, workloads }: WantedRedirection,
): Promise<RedirectionPlan> {
  const { config, policy, signal, host } = context;
  const clashes = (await nodeClashes(context)).filter(({ setting }) => setting !== undefined);
  const refused: Refusal[] = clashes.map((clash) => ({ code: "ERR_CLASH", message: describeClash(clash) }));
  const choice = await chooseForNode(context);
  const planned: Planned = { layout: layoutOf(config), policy, signal, ...choice };
  const all = [proxies.active, ...proxies.draining].flatMap((proxy) => proxy ?? []);
  const { slots, refusals } = slotsFor(all, new Notes(host.journal));
  refused.push(...refusals);
  const active = [...slots].find(([, { key }]) => key === proxies.active?.key)?.[0];
  const given: MemberEntry[] = [];
  const places = new InterfacePlaces([]);
  const members: PlannedWorkload[] = [];
  for (const workload of workloads) members.push(await planWorkload(planned, workload, { given, places }));
  return { shared: sharedOf(planned, slots, active, given), refused, workloads: members };
}

/** Slots as they are noted, and new ones for who has none. */
function slotsFor(proxies: readonly NodeProxy[], notes: Notes) {
  using node = currentNetns();
  const noted = notes.slots();
  const slots = new Map<number, SlotIdentity>();
  const refusals: Refusal[] = [];
  for (const proxy of proxies) {
    try {
      using netns = requireProxy(proxy, node.inode);
      const present = [...noted].find(([, { netnsInode }]) => netnsInode === netns.inode)?.[0];
      let index = present ?? 0;
      while (present === undefined && (noted.has(index) || slots.has(index))) index += 1;
      slots.set(index, identityOf(proxy, netns));
    } catch (error) {
      refusals.push(refusal(`preparing the proxy ${proxy.namespace}/${proxy.name}`, error));
    }
  }
  return { slots, refusals };
}

function sharedOf(
  { flavour, tunnel, ...planned }: Planned,
  slots: ReadonlyMap<number, SlotIdentity>,
  active: number | undefined,
  entries: readonly MemberEntry[],
): string[] {
  const { layout, families, port } = planned;
  const networks = networksOf(entries);
  return [
    ...[layout.links.outbound, layout.links.inbound].map((name) => `link ${name} type ${tunnel} dstport ${port}`),
    ...families.flatMap((family) => Object.values(setsOf(family)).map((name) => `set ${name}`)),
    ...families.flatMap((family) => wantedRules(planned, slots).map((rule) => `IPv${family} rule ${rule}`)),
    ...wantedRoutes(planned, slots, [], outboundTunnel(planned) ?? TO_BE_MADE).map((route) =>
      describe(route, layout.links.outbound),
    ),
    ...families.flatMap((family) =>
      renderChains(hostRules(hostInput(planned, family, slots, active, networks)))
        .split("\n")
        .filter((line) => /^[*:-]/.test(line))
        .map((line) => `IPv${family} iptables-${flavour} ${line}`),
    ),
  ];
}

interface Given {
  /** What the workloads before it have. */
  readonly given: MemberEntry[];
  readonly places: InterfacePlaces;
}

async function planWorkload(context: Planned, workload: Workload, { given, places }: Given): Promise<PlannedWorkload> {
  const { uid, namespace, name } = workload;
  try {
    const plan = planOf(context, workload, given);
    if (plan.port !== undefined) await requireSuitable(context, [plan.port]);
    given.push(...plan.wanted);
    return {
      uid,
      objects: objectsOf(context.layout, plan, places),
      ...(plan.taken.size > 0 && { partly: refusal("claiming addresses", addressesInUse(plan)) }),
    };
  } catch (error) {
    return { uid, objects: [], refused: refusal(`redirecting ${namespace}/${name}`, error) };
  }
}

function objectsOf(layout: Layout, { wanted, free, port }: Plan, places: InterfacePlaces): string[] {
  const placed = wanted.map((entry) => places.place(entry));
  // The sets of interfaces are made as they are needed, by the same lines each time.
  const made = placed.flatMap(({ family, part }) => (part === undefined ? [] : [interfaceSet(family, part)]));
  const lines = placed.flatMap((entry) => addLines(entry));
  return [
    ...new Set([
      ...made.map((set) => `set ${set}`),
      ...lines.filter((line) => !line.startsWith("create ")).map((line) => `ipset ${line}`),
      ...memberRoutes({ layout }, free, inboundTunnel({ layout }) ?? TO_BE_MADE).map((route) =>
        describe(route, layout.links.inbound),
      ),
      ...(port === undefined ? [] : [`nft bridge millrace: port ${port.name}`]),
    ]),
  ];
}

function describe({ dst, table, type, oif, gateway, metric }: RouteSpec, device: string): string {
  const way = oif === undefined ? (type ?? "unicast") : `via ${gateway} dev ${oif === TO_BE_MADE ? device : oif}`;
  return `route ${dst} ${way} table ${table} metric ${metric}`;
}

function refusal(doing: string, error: unknown): Refusal {
  const explained = explainFailure(doing, error);
  return { code: errorCode(explained), message: explained.message };
}
