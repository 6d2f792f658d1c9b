import type { Family } from "linux-ts";
import type { Layout, SetRole } from "../layout.ts";
import { networkSet, setsOf } from "../layout.ts";

/** A proxy as the rules of one family see it. */
export interface RuleSlot {
  readonly index: number;
  /** Interface of the node that the proxy's packets come in by and are sent to: its veth, or the bridge that has it as port. */
  readonly device: string;
  /** The device is a bridge: what comes in by it is the proxy's only where the table of the bridge says so, by a mark. */
  readonly isBridged: boolean;
  /** The proxy's own addresses of this family. */
  readonly addresses: readonly string[];
  /** What the proxy opens is noted as being without a zone: the step before it gets one. */
  readonly isNoting?: boolean;
}

/** A network that some members' connections are not captured to, or from. Which members is in a set of its own. */
export interface ExcludedNetwork {
  readonly direction: "outbound" | "inbound";
  readonly family: Family;
  readonly cidr: string;
}

/** All that the rules of the node depend on, for one family. Members are in sets, not in here. */
export interface HostInput {
  readonly family: Family;
  readonly layout: Layout;
  /** UDP port of the tunnels. */
  readonly port: number;
  readonly slots: readonly RuleSlot[];
  /** The slot that new connections go to; undefined: there is no proxy for this family. */
  readonly active: number | undefined;
  readonly failurePolicy: "closed" | "open";
  readonly localDelivery: "direct" | "routed";
  readonly exclusions: readonly ExcludedNetwork[];
}

export const activeSlot = ({ slots, active }: HostInput): RuleSlot | undefined =>
  slots.find(({ index }) => index === active);

/** Without a proxy, and told to let members' connections pass then. */
export const isOpen = (input: HostInput): boolean => activeSlot(input) === undefined && input.failurePolicy === "open";

/** Packets that this proxy sends, while nothing is decided about them. */
export const fromSlot = ({ device, isBridged, index }: RuleSlot, { marks }: Layout): string =>
  isBridged ? `-i ${device} ${mark(marks.proxy(index))}` : `-i ${device}`;

/** The same, behind the table mangle. */
export const sentBySlot = ({ device, isBridged }: RuleSlot, { marks }: Layout): string =>
  isBridged ? `-i ${device} ${mark(marks.sent)}` : `-i ${device}`;

/** Membership of a set; `dimensions` as in ipset(8): `src,src`. */
export const inSet = (family: Family, role: SetRole, dimensions: string): string =>
  `-m set --match-set ${setsOf(family)[role]} ${dimensions}`;

/** Membership of an excluded network's set. */
export const excludes = ({ family, direction, cidr }: ExcludedNetwork, side: "src" | "dst"): string =>
  `-m set --match-set ${networkSet(family, direction, cidr)} ${side}`;

/** What a member sends: its address, from its own interface. */
export const fromMember = (family: Family): string => inSet(family, "from", "src,src");

/** What comes in by a member's own interface, whatever address it has. */
export const fromInterface = (family: Family): string => inSet(family, "iface", "src,src");

/** What a member sends, told by either: so that neither set alone opens anything when somebody empties it. */
export const sentByMember = (family: Family): readonly string[] => [fromMember(family), fromInterface(family)];

/** What is to leave by a member's own interface, whatever address it has. */
export const toInterface = (family: Family): string => inSet(family, "iface", "dst,dst");

export const toMember = (family: Family): string => inSet(family, "to", "dst");

export const mark = (value: string): string => `-m mark --mark ${value}`;
export const notMark = (value: string): string => `-m mark ! --mark ${value}`;
export const connmark = (value: string): string => `-m connmark --mark ${value}`;
export const setMark = (value: string): string => `-j MARK --set-xmark ${value}`;
export const setConnmark = (value: string): string => `-j CONNMARK --set-xmark ${value}`;

/** Membership of one of the sets of what another backend has begun; `dimensions` as in ipset(8). */
export const isKept = (set: string, dimensions: "src,src,dst" | "dst,dst,src"): string =>
  `-m set --match-set ${set} ${dimensions}`;

/** The SYN that asks for a connection, and nothing else (RFC 9293, section 3.5). */
export const SYN = "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN";
export const SYN_ACK = "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN,ACK";
export const NOT_SYN = "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN";

/** Connections that are older than the enrolment may go on, also where an address is translated to a member's only later. */
export const settlingReturns = (family: Family): string[] =>
  ["src", "dst"].map((side) => `${NOT_SYN} ${inSet(family, "settling", side)} -j RETURN`);

/** An ICMP error about a connection: conntrack finds the connection that it quotes. */
export const icmpError = (family: Family): string =>
  `${family === 4 ? "-p icmp" : "-p ipv6-icmp"} -m conntrack --ctstate RELATED`;
