import { isIPv6 } from "node:net";
import type { Explanation, Fate, Flow } from "@millrace/core";
import { Explaining, isListening } from "@millrace/host";
import { BpfProgram } from "libbpf-ts";
import { link } from "linux-ts";
import { DNS_TABLE } from "./dns-rules.ts";
import { describeExclusion } from "./exclusions.ts";
import {
  ADDRESS_NODE,
  ADDRESS_PROXY,
  PROXY_DNS,
  SETTING_FAIL_OPEN,
  type Settings,
  WORKLOAD_DNS,
  WORKLOAD_EXCLUDES,
  WORKLOAD_PASSING,
  type WorkloadEntry,
} from "./layout.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { observeProxy } from "./observe-proxy.ts";
import type { ProxySlots } from "./proxy-slots.ts";
import { netnsOf } from "./slot-identity.ts";
import { workloadHooks } from "./workload-hooks.ts";

const DNS_PORT = 53;
/** Ports of the proxy (bpf/include/layout.h). */
const PORTS = { outbound: 15_001, inbound: 15_006, hbone: 15_008, dns: 15_053 } as const;

/** What becomes of a packet, and the object that says so. */
interface Verdict {
  readonly fate: Fate;
  readonly object: string;
  readonly does: string;
  readonly to?: Explanation["to"];
}

/** A connection, as it leaves one member or arrives at one. */
interface Passage {
  readonly kernel: NodeKernel;
  readonly slots: ProxySlots;
  readonly told: Explaining;
  readonly settings: Settings;
  readonly protocol: Flow["protocol"];
  readonly port: number;
  /** Of the member: index of its host veth. */
  readonly ifindex: number;
  readonly entry: WorkloadEntry | undefined;
  /** Address of the other end. */
  readonly peer: string;
}

const verdict = (fate: Fate, object: string, does: string): Verdict => ({ fate, object, does });
const passes = ({ fate }: Verdict): boolean => fate === "bypassed" || fate === "untouched";

/**
 * Follows the first packet of a flow through the programs: the same questions in the same order as in bpf/programs/app_outbound.bpf.c and
 * app_inbound.bpf.c, asked of the same maps. What only later packets of a connection meet is left out. A packet between two members of the
 * node meets the programs of both, unless those of the first lead it away.
 */
export async function explain(kernel: NodeKernel, slots: ProxySlots, flow: Flow): Promise<Explanation> {
  const told = new Explaining();
  const { uid, address, peer, direction, protocol, port } = flow;
  const nobody = verdict("untouched", `pins of workload ${uid}`, "no interface of it is enrolled");
  if (address === peer) return told.decides("untouched", `address ${address}`, "is its own: nothing leaves the pod");
  const common = { kernel, slots, told, settings: kernel.maps.settings(), protocol, port };
  const at = (ifindex: number, other: string): Passage => {
    return { ...common, ifindex, entry: kernel.maps.workloads.get(ifindex), peer: other };
  };
  const pin = kernel.pins.workloadsOf(uid).at(-1);
  if (pin !== undefined && kernel.maps.members.get(address) === undefined) told.lacks(`members[${address}] is missing`);
  const own = pin && at(pin.ifindex, peer);
  const neighbour = kernel.maps.members.get(peer);
  const other = neighbour && at(neighbour.ifindex, address);
  if (own === undefined && other !== undefined) {
    told.meets(nobody.object, nobody.does);
    told.meets(`members[${peer}]`, "the other end is a member of this node");
  }
  const [sender, receiver] = direction === "outbound" ? [own, other] : [other, own];
  const left = sender && (await leaving(sender));
  if (receiver === undefined) return decide(told, left ?? nobody);
  if (left !== undefined && !passes(left)) return decide(told, left);
  if (left !== undefined) told.meets(left.object, left.does);
  return decide(told, await arriving(receiver));
}

const decide = (told: Explaining, { fate, object, does, to }: Verdict): Explanation =>
  told.decides(fate, object, does, to);

/** Through app_outbound. */
async function leaving(passage: Passage): Promise<Verdict> {
  const { kernel, protocol, port, peer, entry, ifindex } = passage;
  const { maps } = kernel;
  const missing = attached(passage, "app_outbound");
  if (missing !== undefined) return missing;
  const capturesDns = port === DNS_PORT && entry !== undefined && (entry.flags & WORKLOAD_DNS) !== 0;
  if (protocol === "udp" && !capturesDns) {
    return port === DNS_PORT
      ? verdict("untouched", `workloads[${ifindex}]`, "says that this workload's DNS is not captured")
      : verdict("untouched", `UDP port ${port}`, "is not captured, but for questions to nameservers");
  }
  if ((maps.addresses.get(peer) ?? 0) & ADDRESS_PROXY) return ofProxy(peer);
  const excluded = protocol === "tcp" ? exclusion(passage, "outbound") : undefined;
  if (excluded !== undefined) return excluded;
  const ended = withoutCapture(passage);
  if (ended !== undefined) return ended;
  if (!capturesDns) return await captured(passage, PORTS.outbound);
  const slot = passage.settings.active - 1;
  if (maps.proxy(slot).flags & PROXY_DNS) return await captured(passage, PORTS.dns);
  return withoutProxy(passage.settings, `names proxy slot ${slot}, which takes no DNS: its rules could not be written`);
}

/** Through app_inbound. */
async function arriving(passage: Passage): Promise<Verdict> {
  const { kernel, protocol, port, peer } = passage;
  if (protocol === "udp")
    return verdict("untouched", `UDP port ${port}`, "is not captured, but for questions to nameservers");
  const missing = attached(passage, "app_inbound");
  if (missing !== undefined) return missing;
  const flags = kernel.maps.addresses.get(peer) ?? 0;
  if (flags & ADDRESS_PROXY) return ofProxy(peer);
  const excluded = exclusion(passage, "inbound");
  if (excluded !== undefined) return excluded;
  if (flags & ADDRESS_NODE) {
    // `skb->sk` tells them apart (bpf/programs/app_inbound.bpf.c, is_sent_by_node()), which nobody can ask for beforehand.
    const does =
      "is the node's own address: a probe. What the node only masquerades has no socket here, and is captured";
    return verdict("bypassed", `addresses[${peer}]`, does);
  }
  return withoutCapture(passage) ?? (await captured(passage, port === PORTS.hbone ? PORTS.hbone : PORTS.inbound));
}

const ofProxy = (peer: string): Verdict =>
  verdict("bypassed", `addresses[${peer}]`, "is a proxy's own address: nothing to or from it is steered");

/** Undefined where the program runs. */
function attached(
  { kernel, told, ifindex, entry }: Passage,
  name: "app_outbound" | "app_inbound",
): Verdict | undefined {
  const pin = kernel.pins.workloads().findLast((each) => each.ifindex === ifindex);
  const host = link(undefined, ifindex);
  const hook = pin && host && workloadHooks(kernel, pin, host.name).find(({ program }) => program === name);
  const { programId, ahead } = hook ? kernel.hooks.inspect(hook) : { programId: undefined, ahead: [] };
  if (hook === undefined || programId === undefined) {
    return verdict("untouched", host?.name ?? `interface ${ifindex}`, `${name} is not attached`);
  }
  for (const { kind, owner, effect } of ahead) told.lacks(`${kind} of ${owner} ${effect}`);
  if (entry === undefined) told.lacks(`workloads[${ifindex}] is missing`);
  using program = BpfProgram.byId(programId);
  const place = `${kernel.hooks.mode} ${hook.ifName} ${hook.direction}`;
  told.meets(`${place}: ${name}, program id ${programId}, tag ${program.info.tag}`, "runs for the packet");
  return undefined;
}

function exclusion({ kernel, ifindex, entry, peer, port }: Passage, way: Flow["direction"]): Verdict | undefined {
  if (entry === undefined || !(entry.flags & WORKLOAD_EXCLUDES)) return undefined;
  const excluded = kernel.maps.exclusions.naming(ifindex, way, port, peer);
  if (excluded === undefined) return undefined;
  const map = "port" in excluded ? "excluded_ports" : "excluded_networks";
  return verdict(
    "bypassed",
    `${map}[${ifindex}, ${describeExclusion(excluded)}]`,
    "names the connection: it is excluded",
  );
}

/** While a workload is being enrolled or leaves, and while there is no proxy. */
function withoutCapture({ ifindex, entry, settings }: Passage): Verdict | undefined {
  if (entry !== undefined && entry.flags & WORKLOAD_PASSING) {
    const does = "says that its enrolment, or its removal, is not finished: new connections pass";
    return verdict("untouched", `workloads[${ifindex}]`, does);
  }
  return settings.active === 0 ? withoutProxy(settings, "names no active proxy") : undefined;
}

const withoutProxy = ({ flags }: Settings, because: string): Verdict =>
  flags & SETTING_FAIL_OPEN
    ? verdict("bypassed", "settings[0]", `${because}, and failurePolicy is open`)
    : verdict("dropped", "settings[0]", `${because}, and failurePolicy is closed`);

/** On to the proxy, and through what has to be in its namespace. */
async function captured({ kernel, slots, settings, told, peer }: Passage, port: number): Promise<Verdict> {
  const index = settings.active - 1;
  const { ifindex, mac } = kernel.maps.proxy(index);
  if (ifindex === 0) return withoutProxy(settings, `names proxy slot ${index}, which is empty`);
  told.meets("settings[0]", `names proxy slot ${index} as the active one`);
  told.meets(`proxies[${index}]`, `leads to interface ${link(undefined, ifindex)?.name ?? ifindex}, MAC ${mac}`);
  const slot = slots.all().find((each) => each.index === index);
  const { identity } = slot ?? {};
  using netns = identity && netnsOf(identity);
  if (!slot || !identity || !netns) {
    return verdict("dropped", `proxy slot ${index}`, "has no network namespace any more");
  }
  const observed = await observeProxy(kernel, { ...slot, identity }, "active", port === PORTS.dns);
  told.lacks(...observed.problems.map((problem) => `proxy ${identity.name}: ${problem}`));
  const to = { proxy: identity.name, port };
  const { table, priority } = kernel.config.routing;
  told.meets(
    `rule ${priority} iif ${identity.ifName} lookup ${table} (proxy ${identity.name})`,
    "makes the packet local to the proxy, whatever its destination",
  );
  if (port === PORTS.dns) {
    return {
      ...verdict("captured", `nft table ${DNS_TABLE} (proxy ${identity.name})`, `redirects it to port ${port}`),
      to,
    };
  }
  if (!isListening(netns, port, isIPv6(peer) ? 6 : 4)) {
    return verdict("dropped", `ztunnel_tproxy (proxy ${identity.name})`, `finds nobody listening on port ${port}`);
  }
  const does = `chooses the socket that listens on port ${port}`;
  return { ...verdict("captured", `ztunnel_lookup (proxy ${identity.name})`, does), to };
}
