import { Attributes, littleEndian, PayloadWriter, structOf } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import { addressFamily, type Family, familyOf, formatPrefix } from "./ip-address.ts";

/** enum in include/uapi/linux/fib_rules.h. */
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_GOTO = 4;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_FLOW = 11;
const FRA_TUN_ID = 12;
const FRA_SUPPRESS_IFGROUP = 13;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_L3MDEV = 19;
const FRA_UID_RANGE = 20;
const FRA_PROTOCOL = 21;
const FRA_IP_PROTO = 22;
const FRA_SPORT_RANGE = 23;
const FRA_DPORT_RANGE = 24;
const known = new Set(Array.from({ length: FRA_DPORT_RANGE + 1 }, (_, type) => type));

/** FIB_RULE_INVERT (fib_rules.h). */
const FIB_RULE_INVERT = 2;

/** FR_ACT_* (fib_rules.h), by number, in the words of ip-rule(8). */
const actions = ["unspec", "lookup", "goto", "nop", "res3", "res4", "blackhole", "unreachable", "prohibit"] as const;
export type RuleAction = (typeof actions)[number];

/** struct fib_rule_hdr (fib_rules.h): u8 family, dst_len, src_len, tos, table, res1, res2, action; u32 flags. */
export const ruleHeaderLength = 12;

export interface Range {
  start: number;
  end: number;
}

export interface Rule {
  priority: number;
  family: Family;
  action: RuleAction;
  /** 0 for an action that has none. */
  table: number;
  /** Name, as rules hold names and not indices: it may be of a link that does not exist (any more, or yet). */
  iif?: string;
  oif?: string;
  fwmark?: number;
  /** Present with fwmark. */
  fwmask?: number;
  src?: string;
  dst?: string;
  tos?: number;
  ipProtocol?: number;
  sourcePorts?: Range;
  destinationPorts?: Range;
  uids?: Range;
  tunnelId?: bigint;
  l3mdev?: true;
  /** The rule applies to what does *not* match (`not` in ip-rule(8)). */
  inverted?: true;
  goto?: number;
  suppressPrefixLength?: number;
  suppressGroup?: number;
  flow?: number;
  /** Who made it: RTPROT_* (0 unspec, 2 kernel, 3 boot, 4 static, …). */
  protocol: number;
  /** Attribute types that this package does not know: the rule says more than is told here. */
  unknown?: number[];
}

/** Undefined for families other than IPv4 and IPv6. */
export function decodeRule(payload: Uint8Array): Rule | undefined {
  const header = structOf(payload, ruleHeaderLength, "fib_rule_hdr");
  const family = familyOf(header.getUint8(0));
  if (family === undefined) return undefined;
  const attributes = Attributes.parse(payload.subarray(ruleHeaderLength));
  const fwmask = attributes.u32(FRA_FWMASK);
  const tos = header.getUint8(3);
  const suppressed = attributes.s32(FRA_SUPPRESS_PREFIXLEN);
  const unknown = attributes.types().filter((type) => !known.has(type) || type === 0);
  return {
    // The kernel leaves priority 0 out (fib_nl_fill_rule, net/core/fib_rules.c).
    priority: attributes.u32(FRA_PRIORITY) ?? 0,
    family,
    action: actions[header.getUint8(7)] ?? "unspec",
    table: attributes.u32(FRA_TABLE) ?? header.getUint8(4),
    ...present("iif", attributes.string(FRA_IIFNAME)),
    ...present("oif", attributes.string(FRA_OIFNAME)),
    // A mark of 0 is left out, its mask is not.
    ...(fwmask === undefined ? {} : { fwmark: attributes.u32(FRA_FWMARK) ?? 0, fwmask }),
    ...present("src", prefixOf(family, attributes.bytes(FRA_SRC), header.getUint8(2))),
    ...present("dst", prefixOf(family, attributes.bytes(FRA_DST), header.getUint8(1))),
    ...(tos === 0 ? {} : { tos }),
    ...present("ipProtocol", attributes.u8(FRA_IP_PROTO)),
    ...present("sourcePorts", portsOf(attributes, FRA_SPORT_RANGE)),
    ...present("destinationPorts", portsOf(attributes, FRA_DPORT_RANGE)),
    ...present("uids", uidsOf(attributes)),
    ...present("tunnelId", attributes.u64be(FRA_TUN_ID)),
    ...((attributes.u8(FRA_L3MDEV) ?? 0) === 0 ? {} : { l3mdev: true }),
    ...((header.getUint32(8, littleEndian) & FIB_RULE_INVERT) === 0 ? {} : { inverted: true }),
    ...present("goto", attributes.u32(FRA_GOTO)),
    // -1, which is always sent, is "none".
    ...(suppressed === undefined || suppressed < 0 ? {} : { suppressPrefixLength: suppressed }),
    ...present("suppressGroup", attributes.u32(FRA_SUPPRESS_IFGROUP)),
    ...present("flow", attributes.u32(FRA_FLOW)),
    protocol: attributes.u8(FRA_PROTOCOL) ?? 0,
    ...(unknown.length === 0 ? {} : { unknown }),
  };
}

/** The rules that this package writes: `lookup <table>` for what came in at a link, or has a mark. */
export interface RuleSpec {
  priority: number;
  family: Family;
  table: number;
  iif?: string;
  fwmark?: number;
  /** Default 0xffffffff when there is a mark. */
  fwmask?: number;
  /** Default 4, static. */
  protocol?: number;
}

/** RTPROT_STATIC (include/uapi/linux/rtnetlink.h): set by an administrator or his program. */
const RTPROT_STATIC = 4;

/** The rule as it will be read back. Throws `ERR_INVALID_ARGUMENT`. */
export function ruleOf(spec: RuleSpec): Rule {
  const { priority, family, table, iif, fwmark, protocol = RTPROT_STATIC } = spec;
  // dev_valid_name and IFNAMSIZ: the kernel would cut a longer name and match another link.
  if (iif !== undefined && !/^[^\s/:\0]{1,15}$/.test(iif)) {
    throw new LinuxError("ERR_INVALID_ARGUMENT", `"${iif}" cannot be the name of a link`);
  }
  if (fwmark === undefined && spec.fwmask !== undefined) {
    throw new LinuxError("ERR_INVALID_ARGUMENT", "a rule's fwmask needs its fwmark");
  }
  return {
    priority,
    family,
    action: "lookup",
    table,
    ...present("iif", iif),
    ...(fwmark === undefined ? {} : { fwmark, fwmask: spec.fwmask ?? 0xffffffff }),
    protocol,
  };
}

export function encodeRule(rule: Rule): Uint8Array {
  const writer = new PayloadWriter().struct(ruleHeaderLength, (view) => {
    view.setUint8(0, addressFamily[rule.family]);
    // RT_TABLE_UNSPEC where the number does not fit: FRA_TABLE has it.
    view.setUint8(4, rule.table < 256 ? rule.table : 0);
    view.setUint8(7, actions.indexOf(rule.action));
  });
  writer.u32(FRA_PRIORITY, rule.priority).u32(FRA_TABLE, rule.table).u8(FRA_PROTOCOL, rule.protocol);
  if (rule.iif !== undefined) writer.string(FRA_IIFNAME, rule.iif);
  if (rule.fwmark !== undefined) writer.u32(FRA_FWMARK, rule.fwmark);
  if (rule.fwmask !== undefined) writer.u32(FRA_FWMASK, rule.fwmask);
  return writer.finish();
}

function present<K extends string, V>(key: K, value: V | undefined): { [k in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [k in K]: V });
}

function prefixOf(family: Family, bytes: Uint8Array | undefined, length: number): string | undefined {
  return bytes === undefined ? undefined : formatPrefix(family, bytes, length);
}

/** struct fib_rule_port_range: u16 start, end. */
function portsOf(attributes: Attributes, type: number): Range | undefined {
  const bytes = attributes.bytes(type);
  if (bytes === undefined) return undefined;
  const view = structOf(bytes, 4, "fib_rule_port_range");
  return { start: view.getUint16(0, littleEndian), end: view.getUint16(2, littleEndian) };
}

/** struct fib_rule_uid_range: u32 start, end. */
function uidsOf(attributes: Attributes): Range | undefined {
  const bytes = attributes.bytes(FRA_UID_RANGE);
  if (bytes === undefined) return undefined;
  const view = structOf(bytes, 8, "fib_rule_uid_range");
  return { start: view.getUint32(0, littleEndian), end: view.getUint32(4, littleEndian) };
}
