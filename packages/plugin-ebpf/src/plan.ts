import type {
  PlannedWorkload,
  PluginContext,
  RedirectionPlan,
  Refusal,
  WantedRedirection,
  Workload,
} from "@millrace/core";
import { sortedUnique } from "@millrace/core/internal";
import { requireHostLink, requireNetns } from "@millrace/host";
import { currentNetns } from "linux-ts";
import { placeOf } from "./attachment.ts";
import { addressesInUse, claimAddresses, requireFree } from "./claims.ts";
import type { EbpfConfig } from "./config.ts";
import { explainFailure } from "./errors.ts";
import { describeExclusion, hasExclusions, keysOf } from "./exclusions.ts";
import { chooseHooks, type Hooks } from "./hooks.ts";
import { Pins } from "./pins.ts";
import { requireProxy } from "./proxy-slots.ts";
import { shadowPins } from "./shadow/shadow-pins.ts";
import { hostHook, identityOf } from "./slot-identity.ts";
import { requireRoom } from "./table.ts";
import { REDIRECTING, workloadHooks } from "./workload-hooks.ts";

/** What has been given away so far: the plan is made for all of them, one after the other, as they would be applied. */
interface Given {
  readonly addresses: Map<string, string>;
  readonly interfaces: Map<number, string>;
  members: number;
  excludedPorts: number;
  excludedNetworks: number;
}

/** What opening the redirection and applying all of this would write. Asks the kernel, changes nothing. */
export function planRedirection(
  context: Pick<PluginContext<EbpfConfig>, "config" | "host">,
  { node, proxies, workloads }: WantedRedirection,
): RedirectionPlan {
  const { config, host } = context;
  const refused: Refusal[] = [];
  const refuse = <T>(doing: string, work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      refused.push(refusal(doing, error));
      return undefined;
    }
  };
  const hooks = refuse("choosing how to attach", () => chooseHooks(config));
  using netns = currentNetns();
  const all = [proxies.active, ...proxies.draining].flatMap((proxy) => proxy ?? []);
  const shared = all.flatMap((proxy, slot) => {
    const ready = refuse(`preparing the proxy ${proxy.namespace}/${proxy.name}`, () => {
      requireProxy(proxy, netns.inode)[Symbol.dispose]();
      return true;
    });
    if (ready === undefined) return [];
    const identity = identityOf(proxy);
    const { table, priority } = config.routing;
    const hook = hostHook({ index: slot, directory: "", identity });
    return [
      `${hooks?.mode ?? config.attach} ${placeOf(hook)}: ${hook.program}`,
      `${hooks?.mode ?? config.attach} ${identity.ifName} of proxy ${identity.name} ingress: ztunnel_tproxy`,
      `sk_lookup link in the namespace of proxy ${identity.name}: ztunnel_lookup`,
      `rule ${priority} iif ${identity.ifName} lookup ${table} (proxy ${identity.name}), with its route, both families`,
      `proxies[${slot}]: leads to interface ${identity.hostName}`,
      ...sortedUnique(proxy.addresses).map((address) => `addresses[${address}]: a proxy's`),
    ];
  });
  const active = proxies.active === undefined ? "no proxy" : `proxy slot 0 (${proxies.active.name})`;
  const given: Given = {
    addresses: new Map(),
    interfaces: new Map(),
    members: 0,
    excludedPorts: 0,
    excludedNetworks: 0,
  };
  const owner = { programs: REDIRECTING, other: shadowPins(host.bpffs, config) };
  const place = { config, hooks, pins: new Pins(host.bpffs, config.pins), owner };
  return {
    shared: [
      `settings[0]: names ${active} as the active one`,
      ...shared,
      ...sortedUnique(node.addresses).map((address) => `addresses[${address}]: the node's`),
    ],
    refused,
    workloads: workloads.map((workload) => planWorkload(place, given, workload)),
  };
}

interface Place {
  readonly config: EbpfConfig;
  readonly hooks: Hooks | undefined;
  readonly pins: Pins;
  readonly owner: Parameters<typeof workloadHooks>[0];
}

function planWorkload({ config, hooks, pins, owner }: Place, given: Given, workload: Workload): PlannedWorkload {
  const { uid, namespace, name, interface: pod, dnsCapture, exclusions, acceleration } = workload;
  try {
    requireNetns(pod)[Symbol.dispose]();
    requireHostLink(pod);
    requireFree(workload, given.interfaces.get(pod.hostIndex));
    requireRoom("workloads", given.interfaces.size + 1, config.maxWorkloads, "maxWorkloads");
    const { free, taken } = claimAddresses(workload, (address) => given.addresses.get(address));
    requireRoom("members", given.members + free.length, config.maxMembers, "maxMembers");
    given.interfaces.set(pod.hostIndex, uid);
    for (const address of free) given.addresses.set(address, uid);
    given.members += free.length;
    const pin = { uid, ifindex: pod.hostIndex, directory: pins.workload(uid, pod.hostIndex) };
    const { ports, networks } = keysOf(pod.hostIndex, exclusions);
    given.excludedPorts += ports.length;
    given.excludedNetworks += networks.length;
    const isAccelerated = config.acceleration === "sockmap" && acceleration;
    const marks = [
      ...(dnsCapture ? ["DNS too"] : []),
      ...(hasExclusions(exclusions) ? ["with exclusions"] : []),
      ...(isAccelerated ? ["accelerated"] : []),
    ];
    const partly = partlyRefused(config, given, taken.size > 0 ? addressesInUse(workload, taken) : undefined);
    return {
      uid,
      objects: [
        ...workloadHooks(owner, pin, pod.hostName).map(
          (hook) => `${hooks?.mode ?? config.attach} ${placeOf(hook)}: ${hook.program}`,
        ),
        `workloads[${pod.hostIndex}]: ${["captures", ...marks].join(", ")}`,
        ...free.map((address) => `members[${address}]: interface ${pod.hostName}`),
        ...[...ports, ...networks].map((key) => `exclusion of ${describeExclusion(key)}`),
      ],
      ...(partly !== undefined && { partly }),
    };
  } catch (error) {
    return { uid, objects: [], refused: refusal(`redirecting ${namespace}/${name}`, error) };
  }
}

function partlyRefused(config: EbpfConfig, given: Given, taken: unknown): Refusal | undefined {
  try {
    requireRoom("excluded_ports", given.excludedPorts, config.maxExclusions, "maxExclusions");
    requireRoom("excluded_networks", given.excludedNetworks, config.maxExclusions, "maxExclusions");
  } catch (error) {
    return refusal("writing exclusions", error);
  }
  return taken === undefined ? undefined : refusal("claiming addresses", taken);
}

function refusal(doing: string, error: unknown): Refusal {
  const { code, message } = explainFailure(doing, error);
  return { code, message };
}
