import { answeredSet, keptSets, PREFIX } from "../layout.ts";
import {
  activeSlot,
  connmark,
  excludes,
  fromInterface,
  fromSlot,
  type HostInput,
  icmpError,
  inSet,
  isKept,
  isOpen,
  mark,
  NOT_SYN,
  notMark,
  SYN,
  SYN_ACK,
  sentByMember,
  setConnmark,
  setMark,
  settlingReturns,
  toInterface,
  toMember,
} from "./host-input.ts";
import { type Chain, lines, type Part } from "./ruleset.ts";

/** Where verdicts are made. All but the first three set a mark and are reached by `-g`, so that whoever has a verdict has done. */
const CHAINS = {
  first: `${PREFIX}-PRE`,
  output: `${PREFIX}-OUTPUT`,
  forward: `${PREFIX}-FWD`,
  post: `${PREFIX}-POST`,
  tcp: `${PREFIX}-TCP`,
  from: `${PREFIX}-FROM`,
  to: `${PREFIX}-TO`,
  excluded: `${PREFIX}-EXCLUDED`,
  out: `${PREFIX}-OUT`,
  in: `${PREFIX}-IN`,
  pass: `${PREFIX}-PASS`,
  passAll: `${PREFIX}-PASS-ALL`,
  guard: `${PREFIX}-GUARD`,
  sentAll: `${PREFIX}-SENT-ALL`,
  direct: (slot: number) => `${PREFIX}-DIRECT-${slot}`,
  proxy: (slot: number) => `${PREFIX}-PROXY-${slot}`,
} as const;

/**
 * Decides about every TCP packet, before Services are translated. A connection is bound to a proxy by that proxy's first answer, which
 * sets the connection's mark; from then on its packets go straight to the proxy, and only what opens a connection takes the tunnel.
 */
export function mangleChains(input: HostInput): Chain[] {
  const { family, layout, slots } = input;
  const { marks, links } = layout;
  const chain = (name: string, ...rules: readonly Part[]): Chain => ({
    table: "mangle",
    name,
    rules: lines(...rules),
  });
  return [
    {
      ...chain(
        CHAINS.first,
        `-p tcp -j ${CHAINS.tcp}`,
        slots.map(({ index }) => `${icmpError(family)} ${connmark(marks.proxy(index))} -g ${CHAINS.direct(index)}`),
      ),
      hook: "PREROUTING",
    },
    { ...chain(CHAINS.output, outputRules(input)), hook: "OUTPUT" },
    {
      ...chain(
        CHAINS.forward,
        // An excluded connection that did not lead to a member after all: it passes, and so do its answers.
        sentByMember(family).map(
          (sent) => `! -o ${links.inbound} ${SYN} ${mark(marks.in)} ${sent} ${setConnmark(marks.pass)}`,
        ),
        guarded(input),
      ),
      hook: "FORWARD",
    },
    {
      // A socket of the node has opened a connection to a member: a probe. Behind the translation of Services, which a probe may use.
      // What is forwarded has no socket (net/ipv4/ip_forward.c drops it), and what a socket answers it has not opened.
      ...chain(
        CHAINS.post,
        `-p tcp ${toMember(family)} -m owner --socket-exists -m conntrack --ctdir ORIGINAL ${connmark(marks.none)} ${setConnmark(marks.pass)}`,
      ),
      hook: "POSTROUTING",
    },
    chain(CHAINS.tcp, tcpRules(input)),
    chain(CHAINS.from, fromRules(input)),
    chain(CHAINS.to, toRules(input)),
    // Not captured for the sender's sake. If a member is at the other end, that member's capture still counts.
    chain(CHAINS.excluded, `${toMember(family)} -g ${CHAINS.to}`, `${SYN} -g ${CHAINS.in}`, `-g ${CHAINS.pass}`),
    chain(CHAINS.out, outRules(input)),
    chain(CHAINS.in, setMark(marks.in)),
    chain(CHAINS.pass, setMark(marks.pass)),
    chain(CHAINS.passAll, setConnmark(marks.pass), setMark(marks.pass)),
    ...(isOpen(input) ? [] : [chain(CHAINS.guard, settlingReturns(family), "-j DROP")]),
    chain(CHAINS.sentAll, setConnmark(marks.pass), setMark(marks.sent)),
    ...slots.flatMap((slot) => [
      chain(
        CHAINS.proxy(slot.index),
        slot.addresses.map((address) => `-s ${address} -g ${CHAINS.sentAll}`),
        `${SYN_ACK} -m addrtype --src-type LOCAL -j SET --add-set ${answeredSet(family, slot.index)} dst,dst,src --exist`,
        setConnmark(marks.proxy(slot.index)),
        setMark(marks.sent),
      ),
      chain(CHAINS.direct(slot.index), setMark(marks.proxy(slot.index)), copyToLocal(slot.addresses[0], slot.device)),
    ]),
  ];
}

/**
 * TCP that nobody has decided about, told by the member's own interface: nothing but what passes goes straight to a member, and nothing
 * leaves it undecided. Stopped here, before the table filter, where others may accept it first; its connections go on once the rules
 * are mended.
 */
function guarded(input: HostInput): string[] {
  const { family, layout } = input;
  const { marks } = layout;
  if (isOpen(input)) return [];
  return [
    `-p tcp ${notMark(marks.passing)} ${toInterface(family)} -g ${CHAINS.guard}`,
    `-p tcp ${mark(marks.none)} ${fromInterface(family)} -g ${CHAINS.guard}`,
    `-p tcp ${mark(marks.arrived)} -g ${CHAINS.guard}`,
  ];
}

function tcpRules({ family, layout, slots, ...rest }: HostInput): string[] {
  const { marks } = layout;
  const open = isOpen({ family, layout, slots, ...rest });
  return lines(
    slots.map((slot) => `${fromSlot(slot, layout)} -g ${CHAINS.proxy(slot.index)}`),
    // A SYN is decided about again: conntrack keeps an established connection for days, and one with its addresses and ports may be new.
    `${NOT_SYN} ${connmark(marks.pass)} -g ${CHAINS.pass}`,
    slots.map(({ index }) => `${NOT_SYN} ${connmark(marks.proxy(index))} -g ${CHAINS.direct(index)}`),
    // Of what was copied conntrack knows nothing before the proxy sends more than its first answer.
    slots.map(({ index }) => {
      const answered = `-m set --match-set ${answeredSet(family, index)} src,src,dst`;
      return `${NOT_SYN} ${answered} -g ${CHAINS.direct(index)}`;
    }),
    // What another backend has begun conntrack is kept from.
    slots.flatMap(({ index }) => {
      const kept = keptSets(family, index);
      const packets = [isKept(kept.out, "src,src,dst"), isKept(kept.in, "dst,dst,src")];
      return packets.map((packet) => `${NOT_SYN} ${packet} -g ${CHAINS.direct(index)}`);
    }),
    [...sentByMember(family), mark(marks.arrived)].map((sent) => `${sent} -g ${CHAINS.from}`),
    `${toMember(family)} -g ${CHAINS.to}`,
    !open && `${SYN} -g ${CHAINS.in}`,
  );
}

/** A connection that a member opens, or a packet of one that no proxy is bound to. */
function fromRules(input: HostInput): string[] {
  const { family, slots, exclusions } = input;
  if (isOpen(input)) return [`-g ${CHAINS.passAll}`];
  const active = activeSlot(input);
  return lines(
    slots.flatMap(({ addresses }) => addresses.map((address) => `-d ${address} -g ${CHAINS.passAll}`)),
    `-p tcp ${inSet(family, "outboundPorts", "src,dst")} -g ${CHAINS.excluded}`,
    exclusions
      .filter(({ direction }) => direction === "outbound")
      .map((network) => `-d ${network.cidr} ${excludes(network, "src")} -g ${CHAINS.excluded}`),
    // Translated to the proxy's address in the table nat.
    active && `-p tcp -m tcp --dport 53 ${inSet(family, "dns", "src")} -g ${CHAINS.pass}`,
    `${SYN} -g ${CHAINS.out}`,
    ...unbound(input, "src"),
  );
}

/** The same of what is sent to a member's own address. */
function toRules(input: HostInput): string[] {
  const { family, exclusions } = input;
  if (isOpen(input)) return [`-g ${CHAINS.passAll}`];
  return lines(
    `-p tcp ${inSet(family, "inboundPorts", "dst,dst")} -g ${CHAINS.passAll}`,
    exclusions
      .filter(({ direction }) => direction === "inbound")
      .map((network) => `-s ${network.cidr} ${excludes(network, "dst")} -g ${CHAINS.passAll}`),
    `${SYN} -g ${CHAINS.in}`,
    ...unbound(input, "dst"),
  );
}

/**
 * In the middle of a connection that no answer has bound: it is older than the enrolment, or conntrack has forgotten it. The active
 * proxy either has it or resets it. Without a proxy it is reset in the table filter, like a new one.
 */
function unbound(input: HostInput, side: "src" | "dst"): string[] {
  const active = activeSlot(input);
  const refused = side === "src" ? CHAINS.out : CHAINS.in;
  return [
    `${inSet(input.family, "settling", side)} -g ${CHAINS.pass}`,
    `-g ${active ? CHAINS.direct(active.index) : refused}`,
  ];
}

function outRules(input: HostInput): string[] {
  const { layout, family } = input;
  const active = activeSlot(input);
  return lines(setMark(layout.marks.out), active && copyToLocal(layout.gateways[family], layout.links.outbound));
}

/**
 * To an address of the node itself: its own, or a Service's that is bound to an interface. No route of ours is asked then, because
 * the table `local` comes first, so a copy is sent and the packet itself ends here. What is going to be translated is no such packet.
 */
function copyToLocal(gateway: string | undefined, device: string): string[] {
  if (gateway === undefined) return [];
  const isLocal = "-p tcp -m addrtype --dst-type LOCAL -m conntrack ! --ctstate SNAT,DNAT";
  return [`${isLocal} -j TEE --gateway ${gateway} --oif ${device}`, `${isLocal} -j DROP`];
}

/** What the node itself answers, or tells by ICMP, on a connection that a proxy opened in a member's name. */
function outputRules({ family, layout, slots }: HostInput): string[] {
  const { marks } = layout;
  return lines(
    // net.ipv4.tcp_fwmark_accept and fwmark_reflect give an answer the mark of what it answers: one to a member would go to the tunnel.
    `-p tcp ${mark(marks.in)} ${setMark(marks.none)}`,
    slots.flatMap(({ index }) => [
      `-p tcp -m conntrack --ctdir REPLY ${connmark(marks.proxy(index))} ${setMark(marks.proxy(index))}`,
      `${icmpError(family)} ${connmark(marks.proxy(index))} ${setMark(marks.proxy(index))}`,
    ]),
  );
}
