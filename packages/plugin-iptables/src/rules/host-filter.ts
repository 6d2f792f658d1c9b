import { PREFIX } from "../layout.ts";
import {
  activeSlot,
  type HostInput,
  inSet,
  isOpen,
  mark,
  NOT_SYN,
  SYN,
  sentByMember,
  sentBySlot,
  settlingReturns,
  toInterface,
  toMember,
} from "./host-input.ts";
import { type Chain, lines, type Part } from "./ruleset.ts";

const RESET = "-j REJECT --reject-with tcp-reset";
const REFUSE = "-j REJECT";

/**
 * Lets by what the table mangle has decided about, and stops what it has not: whoever flushes that table, or a route that is lost,
 * opens nothing. Also where connections end for want of a proxy.
 */
export function filterChains(input: HostInput): Chain[] {
  const chain = (name: string, ...rules: readonly Part[]): Chain => ({
    table: "filter",
    name,
    rules: lines(...rules),
  });
  return [
    {
      ...chain(
        `${PREFIX}-FWD`,
        `-p tcp -j ${PREFIX}-FWD-TCP`,
        // Only the node itself sends to the proxies' end of the tunnels.
        input.slots.flatMap(({ device, isBridged, addresses }) =>
          (isBridged ? addresses.map((address) => ` -d ${address}`) : [""]).map(
            (destination) => `-o ${device}${destination} -p udp -m udp --dport ${input.port} -j DROP`,
          ),
        ),
        dnsPastProxy(input),
      ),
      hook: "FORWARD",
    },
    { ...chain(`${PREFIX}-INPUT`, inputRules(input)), hook: "INPUT" },
    { ...chain(`${PREFIX}-OUTPUT`, outputRules(input)), hook: "OUTPUT" },
    chain(`${PREFIX}-FWD-TCP`, forwardRules(input)),
    chain(`${PREFIX}-GUARD`, guardRules(input)),
  ];
}

function forwardRules(input: HostInput): string[] {
  const { family, layout, slots, localDelivery } = input;
  const { marks, links } = layout;
  const tunnel = activeSlot(input) ? "-j ACCEPT" : `-p tcp ${RESET}`;
  return lines(
    `-o ${links.outbound} ${mark(marks.out)} ${tunnel}`,
    `${mark(marks.out)} -j DROP`,
    `-o ${links.inbound} ${tunnel}`,
    slots.map(({ index, device }) => `-o ${device} ${mark(marks.proxy(index))} -j ACCEPT`),
    `${mark(marks.anyProxy)} -j DROP`,
    slots.flatMap((slot) =>
      lines(
        // The answer to a packet that was copied: conntrack has not seen the question.
        `${sentBySlot(slot, layout)} -m conntrack --ctstate INVALID -j ACCEPT`,
        localDelivery === "direct" && `${sentBySlot(slot, layout)} ${toMember(family)} -j ACCEPT`,
        `${sentBySlot(slot, layout)} -j RETURN`,
      ),
    ),
    `${mark(marks.pass)} -j RETURN`,
    [toMember(family), toInterface(family)].map((sent) => `${sent} -j ${PREFIX}-GUARD`),
    sentByMember(family).map((sent) => `${mark(marks.none)} ${sent} -j ${PREFIX}-GUARD`),
    `${mark(marks.arrived)} -j ${PREFIX}-GUARD`,
  );
}

/** TCP to or from a member that nobody has decided about. */
function guardRules(input: HostInput): string[] {
  if (isOpen(input)) return ["-j RETURN"];
  return [...settlingReturns(input.family), `${NOT_SYN} ${RESET}`, "-j DROP"];
}

function inputRules(input: HostInput): string[] {
  const { family, layout } = input;
  const { marks } = layout;
  if (isOpen(input)) return [];
  return lines(
    `-p tcp ${mark(marks.out)} ${activeSlot(input) ? "-j DROP" : RESET}`,
    `-p tcp ${mark(marks.anyProxy)} -j DROP`,
    sentByMember(family).map((sent) => `${SYN} ${mark(marks.none)} ${sent} -j DROP`),
    `${SYN} ${mark(marks.arrived)} -j DROP`,
    dnsPastProxy(input),
  );
}

function outputRules(input: HostInput): string[] {
  return [...outerPackets(input), ...translatedByIpvs(input)];
}

/**
 * What the tunnels send carries members' first packets, in clear text: it goes to a proxy's interface or nowhere. The routes to a proxy
 * that is gone may lead off the node, to whoever has its address. The outer packet has the mark of the inner one
 * (net/ipv4/ip_tunnel_core.c, iptunnel_xmit()), so that nobody else's are meant.
 */
function outerPackets({ layout, slots, port }: HostInput): string[] {
  const { marks } = layout;
  const outer = `-p udp -m udp --dport ${port}`;
  return [
    ...slots.map(({ device }) => `-o ${device} ${outer} -j RETURN`),
    ...[marks.out, marks.in].map((value) => `${outer} ${mark(value)} -j DROP`),
  ];
}

/** IPVS sends on what it has translated as if the node had made it, past all that redirects: refused at once, and counted. */
function translatedByIpvs(input: HostInput): string[] {
  if (isOpen(input)) return [];
  const { family } = input;
  return [toMember(family), toInterface(family)].map((sent) => `${SYN} ${sent} -m owner ! --socket-exists ${RESET}`);
}

/** Names are not resolved past the proxy: it decides what they mean. What has not been translated by now goes nowhere else. */
function dnsPastProxy(input: HostInput): string[] {
  if (isOpen(input)) return [];
  const { family } = input;
  const [proxy] = activeSlot(input)?.addresses ?? [];
  if (proxy !== undefined) {
    return ["-p udp -m udp", SYN].flatMap((packet) =>
      sentByMember(family).map(
        (sent) => `! -d ${proxy} ${packet} --dport 53 ${inSet(family, "dns", "src")} ${sent} -j DROP`,
      ),
    );
  }
  return sentByMember(family).map(
    (sent) => `-p udp -m udp --dport 53 ${inSet(family, "dns", "src")} ${sent} ${REFUSE}`,
  );
}
