import { Attributes, structOf } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import type { Message } from "./messages.ts";
import { type MonitorOptions, NetlinkMonitor } from "./netlink-monitor.ts";
import { absent, nftFamily } from "./nft-family.ts";
import { NETLINK_NETFILTER } from "./request.ts";

/** NFNLGRP_NFTABLES and NFNL_SUBSYS_NFTABLES (include/uapi/linux/netfilter/nfnetlink.h). */
const NFNLGRP_NFTABLES = 7;
const SUBSYSTEM = 10;
/** struct nfgenmsg (nfnetlink.h): u8 family, u8 version, be16 res_id. */
const nfgenmsgLength = 4;

/** enum nf_tables_msg_types (include/uapi/linux/netfilter/nf_tables.h). */
const kinds = new Map<number, Pick<NftEvent, "type" | "change">>([
  [0, { type: "table", change: "set" }],
  [2, { type: "table", change: "removed" }],
  [3, { type: "chain", change: "set" }],
  [5, { type: "chain", change: "removed" }],
  [6, { type: "rule", change: "set" }],
  [8, { type: "rule", change: "removed" }],
  [9, { type: "set", change: "set" }],
  [11, { type: "set", change: "removed" }],
  [12, { type: "elements", change: "set" }],
  [14, { type: "elements", change: "removed" }],
]);

/** NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE and NFTA_SET_ELEM_LIST_TABLE are all 1. */
const NFTA_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;
/** Of sets, and of lists of elements. */
const NFTA_SET_NAME = 2;
const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_IMMEDIATE_DATA = 2;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CHAIN = 2;

export interface NftEvent {
  type: "table" | "chain" | "rule" | "set" | "elements";
  /** `set`: it exists, new or changed. */
  change: "set" | "removed";
  /** As nft(8) calls it: `ip`, `inet`, … */
  family: string;
  table: string;
  /** Of the chain or set; of a rule the chain that it is in, of elements their set. */
  name?: string;
  /** Of a rule: the chain that it leads to. */
  target?: string;
}

/**
 * Changes of nftables in one network namespace, as they happen, those that iptables-nft makes among them: see {@link NetlinkMonitor}. Of legacy iptables
 * and of ipset the kernel tells nothing.
 */
export type NftablesMonitor = NetlinkMonitor;
export const NftablesMonitor = {
  /** Undefined where the kernel has no nfnetlink. Throws `EPERM` and the other errors of setns(2) and socket(2). */
  open(options: MonitorOptions<NftEvent>): NftablesMonitor | undefined {
    try {
      return NetlinkMonitor.open(
        { name: "nftables", protocol: NETLINK_NETFILTER, groups: [NFNLGRP_NFTABLES], decode: decodeNftEvent },
        options,
      );
    } catch (error) {
      if (error instanceof LinuxError && absent.includes(error.code)) return undefined;
      throw error;
    }
  },
};

/** Undefined for what is no object: the generation that ends each change, traces. */
export function decodeNftEvent({ type, payload }: Message): NftEvent | undefined {
  const kind = type >> 8 === SUBSYSTEM ? kinds.get(type & 0xff) : undefined;
  if (kind === undefined) return undefined;
  const family = nftFamily(structOf(payload, nfgenmsgLength, "nfgenmsg").getUint8(0));
  const attributes = Attributes.parse(payload.subarray(nfgenmsgLength));
  const name = attributes.string(nameOf(kind.type));
  const target = kind.type === "rule" ? targetOf(attributes.bytes(NFTA_RULE_EXPRESSIONS)) : undefined;
  return {
    ...kind,
    family,
    table: attributes.string(NFTA_TABLE) ?? "",
    ...(kind.type !== "table" && name !== undefined && { name }),
    ...(target !== undefined && { target }),
  };
}

function nameOf(type: NftEvent["type"]): number {
  if (type === "chain") return NFTA_CHAIN_NAME;
  return type === "rule" ? NFTA_RULE_CHAIN : NFTA_SET_NAME;
}

/** A verdict is an `immediate` expression, the last of its rule (net/netfilter/nft_immediate.c). */
function targetOf(expressions: Uint8Array | undefined): string | undefined {
  if (expressions === undefined) return undefined;
  const last = Attributes.parse(expressions).nested(NFTA_LIST_ELEM);
  if (last?.string(NFTA_EXPR_NAME) !== "immediate") return undefined;
  const data = last.nested(NFTA_EXPR_DATA)?.nested(NFTA_IMMEDIATE_DATA);
  return data?.nested(NFTA_DATA_VERDICT)?.string(NFTA_VERDICT_CHAIN);
}
