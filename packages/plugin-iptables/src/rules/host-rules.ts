import type { Family } from "linux-ts";
import { keptSets, type Layout, PREFIX, PROXY_PORTS } from "../layout.ts";
import { filterChains } from "./host-filter.ts";
import {
  activeSlot,
  fromSlot,
  type HostInput,
  inSet,
  isKept,
  mark,
  NOT_SYN,
  type RuleSlot,
  SYN,
  sentByMember,
} from "./host-input.ts";
import { mangleChains } from "./host-mangle.ts";
import { type Chain, lines, type Ruleset } from "./ruleset.ts";

/** The node's rules of one family, all of them. */
export function hostRules(input: HostInput): Ruleset {
  return {
    family: input.family,
    chains: [...rawChains(input), ...mangleChains(input), ...natChains(input), ...filterChains(input)],
  };
}

function rawChains(input: HostInput): Chain[] {
  const { layout, slots, port, family } = input;
  const { links, zone } = layout;
  return [
    {
      table: "raw",
      name: `${PREFIX}-PRE`,
      hook: "PREROUTING",
      rules: lines(
        // Proxies answer over their veth, never through the tunnel.
        [links.outbound, links.inbound].map((link) => `-i ${link} -j DROP`),
        slots.flatMap((slot) => sentByProxy(input, slot)),
        slots.flatMap(({ index }) => {
          const kept = keptSets(family, index);
          return [
            `${NOT_SYN} ${isKept(kept.out, "src,src,dst")} -j CT --notrack`,
            `${NOT_SYN} ${isKept(kept.in, "dst,dst,src")} -j CT --notrack`,
            // What the proxy has without a zone is not this one, though the addresses and ports may be the same. Told by its SYN: the set has them
            // of both ends of what was open, and an answer to the proxy that conntrack has taken up first is no connection of its own.
            `${SYN} ${isKept(kept.plain, "src,src,dst")} -j SET --add-set ${kept.twin} src,src,dst --exist`,
            `-p tcp ${isKept(kept.twin, "src,src,dst")} -j CT --zone-orig ${zone(index)}`,
          ];
        }),
        // Others' `NOTRACK` behind, as NodeLocal DNSCache has it for its address, would keep them from being translated.
        activeSlot(input) &&
          ["udp", "tcp"].flatMap((protocol) =>
            sentByMember(family).map((sent) => `${questions(family, protocol)} ${sent} -j ACCEPT`),
          ),
      ),
    },
    {
      table: "raw",
      name: `${PREFIX}-OUTPUT`,
      hook: "OUTPUT",
      rules: slots.map(({ device }) => `-o ${device} -p udp -m udp --dport ${port} -j CT --notrack`),
    },
  ];
}

/** What a proxy sends, ahead of conntrack. It ends here. */
function sentByProxy({ family, layout }: HostInput, slot: RuleSlot): string[] {
  const from = fromSlot(slot, layout);
  const kept = keptSets(family, slot.index);
  return [
    `${from} ${NOT_SYN} ${isKept(kept.out, "dst,dst,src")} -j CT --notrack`,
    `${from} ${NOT_SYN} ${isKept(kept.in, "src,src,dst")} -j CT --notrack`,
    slot.isNoting
      ? `${from} ${SYN} -j SET --add-set ${kept.plain} src,src,dst --exist`
      : zoneRule(layout, family, slot),
    `${from} -p tcp -j RETURN`,
  ];
}

/** A proxy may use the very addresses and ports of the connection it serves; its own is another one. */
export function zoneRule(layout: Layout, family: Family, slot: RuleSlot): string {
  const isPlain = `-m set ! --match-set ${keptSets(family, slot.index).plain} src,src,dst`;
  return `${fromSlot(slot, layout)} -p tcp ${isPlain} -j CT --zone-orig ${layout.zone(slot.index)}`;
}

/** What stays of the rules when another backend has taken everything over: the zones of what the proxies have open. */
export function standbyRules(family: Family, layout: Layout, slots: readonly RuleSlot[]): Ruleset {
  const rules = slots.map((slot) => zoneRule(layout, family, slot));
  return { family, chains: [{ table: "raw", name: `${PREFIX}-PRE`, hook: "PREROUTING", rules }] };
}

/** Questions to nameservers of those whose questions are captured. */
const questions = (family: Family, protocol: string): string =>
  `-p ${protocol} -m ${protocol} --dport 53 ${inSet(family, "dns", "src")}`;

/** Translation to itself binds a connection, so that nobody translates it later: the proxy sees the address that was dialled. */
export function natChains(input: HostInput): Chain[] {
  const { family, layout } = input;
  const { marks, links } = layout;
  const itself = `-j NETMAP --to ${family === 4 ? "0.0.0.0/0" : "::/0"}`;
  const [proxy] = activeSlot(input)?.addresses ?? [];
  return [
    {
      table: "nat",
      name: `${PREFIX}-PRE`,
      hook: "PREROUTING",
      rules: lines(
        `${mark(marks.out)} ${itself}`,
        proxy !== undefined &&
          ["udp", "tcp"].flatMap((protocol) =>
            sentByMember(family).map((sent) => {
              const question = `${questions(family, protocol)} ${sent}`;
              return `! -d ${proxy} ${question} -j DNAT --to-destination ${family === 4 ? proxy : `[${proxy}]`}:${PROXY_PORTS.dns}`;
            }),
          ),
      ),
    },
    {
      table: "nat",
      name: `${PREFIX}-POST`,
      hook: "POSTROUTING",
      rules: [links.outbound, links.inbound].map((link) => `-o ${link} ${itself}`),
    },
  ];
}
