import { BlockList, isIPv6 } from "node:net";
import type { Explanation, Flow } from "@millrace/core";
import { describeRoute, Explaining, isListening } from "@millrace/host";
import { addresses, type Family, routes } from "linux-ts";
import type { SavedRules } from "./commands/parse-iptables-save.ts";
import { NFT_TABLE, PREFIX, PROXY_PORTS, type SetRole, setsOf } from "./layout.ts";
import { type MemberEntry, nameOf } from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import type { SlotIdentity } from "./notes.ts";
import { sendingNow } from "./proxies.ts";
import { insideProblems } from "./proxy-netns.ts";
import { netnsOf, type ProxySlots } from "./proxy-slots.ts";
import { readNode, type Sending, sharedProblems } from "./shared.ts";

/** A flow on its way through the node's rules. */
interface Passage {
  readonly context: NodeContext;
  readonly flow: Flow;
  readonly family: Family;
  readonly told: Explaining;
  readonly sending: Sending;
  /** What the sets hold of the family. */
  readonly entries: readonly MemberEntry[];
  readonly rules: SavedRules | undefined;
}

/**
 * Follows the first packet of a flow through the rules: the same questions in the same order as in `rules/host-mangle.ts`, asked of the sets
 * and rules that the kernel has. What only later packets of a connection meet is left out.
 */
export async function explain(context: NodeContext, slots: ProxySlots, flow: Flow): Promise<Explanation> {
  const family: Family = isIPv6(flow.address) ? 6 : 4;
  const told = new Explaining();
  const reading = await readNode(context);
  const sending = sendingNow(context, slots);
  told.lacks(...(await sharedProblems(context, sending, reading)));
  const entries = reading.entries.all.filter((entry) => entry.family === family);
  const passage = { context, flow, family, told, sending, entries, rules: reading.rules.get(family) };
  if (flow.address === flow.peer) {
    return told.decides("untouched", `address ${flow.address}`, "is its own: nothing leaves the pod");
  }
  if (!reading.entries.uids().includes(flow.uid)) {
    return await ofStranger(passage);
  }
  const port = [...reading.lift.ports.values()].find(({ owner }) => owner === flow.uid);
  if (port !== undefined) {
    told.meets(`nft table bridge ${NFT_TABLE}, port ${port.name}`, "hands its frames to the node's IP layer");
  }
  if (flow.protocol === "udp") return await udp(passage);
  return flow.direction === "outbound" ? await outbound(passage) : await inbound(passage);
}

/** A pod that is no member: what counts is whether the other end is one. */
async function ofStranger(passage: Passage): Promise<Explanation> {
  const { told, flow } = passage;
  const nobody = ["sets of millrace", `hold nothing of workload ${flow.uid}`] as const;
  const other = flow.direction === "outbound" ? memberAt(passage, flow.peer) : senderAt(passage, flow.peer);
  if (other === undefined || flow.protocol === "udp") return told.decides("untouched", ...nobody);
  told.meets(...nobody);
  told.meets(entryText(other), "the other end is a member of this node");
  const turned = { ...flow, uid: other.uid, address: flow.peer, peer: flow.address };
  return flow.direction === "outbound"
    ? await inbound({ ...passage, flow: { ...turned, direction: "inbound" } })
    : await outbound({ ...passage, flow: { ...turned, direction: "outbound" } });
}

async function outbound(passage: Passage): Promise<Explanation> {
  const { flow, told, context } = passage;
  const member = sentBy(passage, flow.uid);
  if (member === undefined) {
    return told.decides("untouched", setsOf(passage.family).from, `has no entry for ${flow.address}`);
  }
  told.meets(entryText(member), "makes it a member's packet");
  told.meets(...rule(passage, "mangle", "TCP", [nameOf(member)], `leads to ${PREFIX}-FROM`));
  const open = passesWithoutProxy(passage, "FROM");
  if (open !== undefined) return open;
  const proxy = proxyAt(passage, flow.peer);
  if (proxy !== undefined) {
    return told.decides(
      "bypassed",
      ...rule(passage, "mangle", "FROM", [`-d ${flow.peer}`], "is a proxy's own address: it passes"),
    );
  }
  const excluded = exclusion(passage, "outbound", "outboundPorts");
  if (excluded !== undefined) {
    told.meets(...excluded);
    // A member at the other end has its own capture.
    if (memberAt(passage, flow.peer) !== undefined) {
      return await inbound({
        ...passage,
        flow: { ...flow, direction: "inbound", address: flow.peer, peer: flow.address },
      });
    }
    return told.decides("bypassed", ...rule(passage, "mangle", "EXCLUDED", [], "excludes the connection: it passes"));
  }
  const dns = entryOf(passage, "dns");
  if (flow.port === 53 && dns !== undefined) return await askedOfProxy(passage, dns);
  told.meets(...rule(passage, "mangle", "OUT", ["MARK"], `sets the mark ${context.layout.marks.out}`));
  const { tables, priorities, links } = context.layout;
  return await throughTunnel(passage, {
    name: links.outbound,
    table: tables.outbound,
    dst: passage.family === 4 ? "0.0.0.0/0" : "::/0",
    rule: `ip rule ${priorities.outbound}: fwmark ${context.layout.marks.out} lookup ${tables.outbound}`,
    port: PROXY_PORTS.outbound,
  });
}

async function inbound(passage: Passage): Promise<Explanation> {
  const { flow, told, context, family } = passage;
  const { marks, tables, priorities, links } = context.layout;
  if (isNodes(flow.peer)) {
    return told.decides(
      "bypassed",
      ...rule(
        passage,
        "mangle",
        "POST",
        ["--socket-exists"],
        "the node's own socket opens it: a probe passes. What the node only masquerades is captured",
      ),
    );
  }
  if (proxyAt(passage, flow.peer) !== undefined) {
    return told.decides(
      "bypassed",
      ...rule(passage, "mangle", "PROXY-", [`-s ${flow.peer}`], "is a proxy's own address: it passes"),
    );
  }
  const sender = senderAt(passage, flow.peer);
  if (sender !== undefined && sender.uid !== flow.uid) {
    told.meets(entryText(sender), "is a member of this node: what it sends is decided about as its own");
    return await outbound({
      ...passage,
      flow: { ...flow, direction: "outbound", uid: sender.uid, address: flow.peer, peer: flow.address },
    });
  }
  const member = memberAt(passage, flow.address);
  if (member === undefined) return told.decides("untouched", setsOf(family).to, `has no entry for ${flow.address}`);
  told.meets(entryText(member), "makes it a packet to a member");
  told.meets(...rule(passage, "mangle", "TCP", [nameOf(member)], `leads to ${PREFIX}-TO`));
  const open = passesWithoutProxy(passage, "TO");
  if (open !== undefined) return open;
  const excluded = exclusion(passage, "inbound", "inboundPorts");
  if (excluded !== undefined) return told.decides("bypassed", ...excluded);
  told.meets(...rule(passage, "mangle", "IN", ["MARK"], `sets the mark ${marks.in}`));
  return await throughTunnel(passage, {
    name: links.inbound,
    table: tables.inbound,
    dst: `${flow.address}/${family === 4 ? 32 : 128}`,
    rule: `ip rule ${priorities.inbound}: fwmark ${marks.in} lookup ${tables.inbound}`,
    port: flow.port === PROXY_PORTS.hbone ? PROXY_PORTS.hbone : PROXY_PORTS.inbound,
  });
}

async function udp(passage: Passage): Promise<Explanation> {
  const { flow, told } = passage;
  const isQuestion = flow.direction === "outbound" && flow.port === 53;
  if (!isQuestion) {
    return told.decides("untouched", `UDP port ${flow.port}`, "is not captured, but for questions to nameservers");
  }
  const dns = entryOf(passage, "dns");
  if (dns === undefined) {
    return told.decides(
      "untouched",
      setsOf(passage.family).dns,
      `has no entry for ${flow.address}: this workload's DNS is not captured`,
    );
  }
  return await askedOfProxy(passage, dns);
}

/** A question to a nameserver: translated to the proxy in the table nat, refused in the table filter while there is none. */
async function askedOfProxy(passage: Passage, dns: MemberEntry): Promise<Explanation> {
  const { flow, told, context } = passage;
  if (proxyAt(passage, flow.peer) !== undefined) {
    return told.decides("bypassed", `address ${flow.peer}`, "is a proxy's own: questions to it go there as they are");
  }
  told.meets(entryText(dns), "captures what it asks of nameservers");
  const identity = activeOf(passage);
  if (identity === undefined) {
    if (context.policy.failurePolicy === "open")
      return told.decides("bypassed", "no active proxy", "and failurePolicy is open");
    // In the TCP path nothing else decides before.
    const chain = flow.protocol === "udp" ? "FWD" : "FWD-TCP";
    return told.decides(
      "dropped",
      ...rule(
        passage,
        "filter",
        chain,
        flow.protocol === "udp" ? ["--dport 53"] : ["REJECT"],
        "refuses it: there is no active proxy",
      ),
    );
  }
  const to = { proxy: identity.name, port: PROXY_PORTS.dns };
  return told.decides(
    "captured",
    ...rule(
      passage,
      "nat",
      "PRE",
      [`-p ${flow.protocol} `, "--dport 53", "DNAT"],
      `translates it to the proxy's port ${PROXY_PORTS.dns}`,
    ),
    to,
  );
}

interface Tunnel {
  readonly name: string;
  readonly table: number;
  readonly dst: string;
  readonly rule: string;
  readonly port: number;
}

/** Where a mark leads: a rule, a route, a tunnel, and the proxy behind it. */
async function throughTunnel(passage: Passage, { name, table, dst, rule: ipRule, port }: Tunnel): Promise<Explanation> {
  const { told, family, context } = passage;
  const found = routes(undefined, { family, table }).find((route) => route.dst === dst && route.type === "unicast");
  told.meets(ipRule, "chooses the table by the mark");
  const identity = activeOf(passage);
  if (identity === undefined) {
    return told.decides(
      "dropped",
      ...rule(passage, "filter", "FWD-TCP", [name, "REJECT"], "refuses it with a reset: there is no active proxy"),
    );
  }
  if (found === undefined)
    return told.decides("dropped", `table ${table}`, `has no route to ${dst} but the one that drops`);
  told.meets(`route ${describeRoute(found)} dev ${name}`, `sends it into the tunnel ${name}`);
  using netns = netnsOf(identity);
  if (netns === undefined)
    return told.decides("dropped", `proxy ${identity.name}`, "has no network namespace any more");
  told.lacks(
    ...(await insideProblems(context, { netns, identity })).map((problem) => `proxy ${identity.name}: ${problem}`),
  );
  const object = `tunnel ${name}, TPROXY and local route in table ${context.config.proxyRouting.table} (proxy ${identity.name})`;
  if (!isListening(netns, port, family))
    return told.decides("dropped", object, `leads to port ${port}, where nobody listens`);
  return told.decides("captured", object, `leads to whoever listens on port ${port}`, { proxy: identity.name, port });
}

/** Without a proxy, and told to let connections pass. */
function passesWithoutProxy(passage: Passage, chain: string): Explanation | undefined {
  if (activeOf(passage) !== undefined || passage.context.policy.failurePolicy !== "open") return undefined;
  return passage.told.decides(
    "bypassed",
    ...rule(
      passage,
      "mangle",
      chain,
      ["PASS-ALL"],
      "lets it pass: there is no active proxy, and failurePolicy is open",
    ),
  );
}

/** The active proxy, where it has an address of the family. */
function activeOf({ sending: { slots, active }, family }: Passage): SlotIdentity | undefined {
  const identity = active === undefined ? undefined : slots.get(active);
  return identity?.addresses.some((address) => isIPv6(address) === (family === 6)) ? identity : undefined;
}

const proxyAt = ({ sending }: Passage, address: string): SlotIdentity | undefined =>
  [...sending.slots.values()].find((identity) => identity.addresses.includes(address));

const memberAt = ({ entries }: Passage, address: string): MemberEntry | undefined =>
  entries.find(({ role, element }) => role === "to" && element === address);

const senderAt = ({ entries }: Passage, address: string): MemberEntry | undefined =>
  entries.find(({ role, element }) => role === "from" && element.startsWith(`${address},`));

/** An entry by which what the workload sends is known for a member's: its address, else its interface. */
const sentBy = ({ entries, flow }: Passage, uid: string): MemberEntry | undefined =>
  entries.find((entry) => entry.role === "from" && entry.uid === uid && entry.element.startsWith(`${flow.address},`)) ??
  entries.find((entry) => entry.role === "iface" && entry.uid === uid);

const entryOf = ({ entries, flow }: Passage, role: SetRole): MemberEntry | undefined =>
  entries.find((entry) => entry.role === role && entry.element === flow.address);

/** The rule by which a connection is excluded: by its port, else by a network. */
function exclusion(
  passage: Passage,
  direction: "outbound" | "inbound",
  role: "outboundPorts" | "inboundPorts",
): [string, string] | undefined {
  const { entries, flow } = passage;
  const chain = direction === "outbound" ? "FROM" : "TO";
  const byPort = entries.find((entry) => entry.role === role && entry.element === `${flow.address},tcp:${flow.port}`);
  if (byPort !== undefined)
    return rule(passage, "mangle", chain, [nameOf(byPort)], `excludes it by ${entryText(byPort)}`);
  const byNetwork = entries.find(
    ({ network, element }) =>
      network?.direction === direction && element === flow.address && isWithin(flow.peer, network.cidr),
  );
  return byNetwork && rule(passage, "mangle", chain, [nameOf(byNetwork)], `excludes it by ${entryText(byNetwork)}`);
}

const isNodes = (address: string): boolean => addresses().some((own) => own.address === address);

const entryText = (entry: MemberEntry): string => `set ${nameOf(entry)} entry ${entry.element}`;

/** A rule as the kernel has it, the first of its chain that has all of these words, and what it does. */
function rule(
  { rules, told }: Passage,
  table: string,
  chain: string,
  words: readonly string[],
  does: string,
): [string, string] {
  const chains = rules?.tables.get(table);
  const name = `${PREFIX}-${chain}`;
  const candidates = chain.endsWith("-")
    ? [...(chains?.values() ?? [])].filter((each) => each.name.startsWith(name))
    : [chains?.get(name)];
  const found = candidates
    .flatMap((each) => each?.rules ?? [])
    .find(({ text }) => words.every((word) => text.includes(word)));
  if (found === undefined) told.lacks(`${table} ${name} has no rule with ${words.join(" ") || "anything"}`);
  return [found === undefined ? `${table} ${name}` : `${table} ${found.text}`, does];
}

function isWithin(address: string, cidr: string): boolean {
  const [network = "", length] = cidr.split("/");
  const list = new BlockList();
  list.addSubnet(network, Number(length), isIPv6(network) ? "ipv6" : "ipv4");
  return list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}
