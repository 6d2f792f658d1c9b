import { Attributes, littleEndian, PayloadWriter, structOf } from "./attributes.ts";
import type { Message } from "./messages.ts";
import type { NetnsFd } from "./netns.ts";
import { dump, dumpAsync, type NetlinkRequest } from "./request.ts";

/** include/uapi/linux/rtnetlink.h. */
export const RTM_NEWQDISC = 36;
export const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
export const RTM_NEWTFILTER = 44;
export const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_CHAIN = 11;

/** TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS | TC_H_MIN_EGRESS) (include/uapi/linux/pkt_sched.h). */
const clsactParent = { ingress: 0xfffffff2, egress: 0xfffffff3 } as const;

/** enum and flag in include/uapi/linux/pkt_cls.h. */
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const TCA_BPF_TAG = 10;
const TCA_BPF_ID = 11;
const TCA_BPF_FLAG_ACT_DIRECT = 1;

/** struct tcmsg (rtnetlink.h): u8 family, 3 bytes of padding, s32 ifindex, u32 handle, parent, info. */
const tcmsgLength = 20;

export type Direction = "ingress" | "egress";

export interface TcFilter {
  /** `pref` of tc(8): lower runs first. */
  priority: number;
  handle: number;
  /** EtherType, host order; 3 is ETH_P_ALL (include/uapi/linux/if_ether.h). */
  protocol: number;
  /** `bpf`, `u32`, `flower`, … */
  kind: string;
  /** Chains other than 0 run only when a filter's action says so. */
  chain: number;
  /** The rest is of `bpf` filters only. Name as given by whoever attached it: `prog.o:[section]`, or the program's. */
  name?: string;
  programId?: number;
  /** Hexadecimal, 16 digits. */
  tag?: string;
  /** The program's result is the verdict; without, it is a class. */
  directAction?: boolean;
}

export interface TcPlace {
  netns?: NetnsFd;
  ifindex: number;
  direction: Direction;
}

export interface Qdisc {
  ifindex: number;
  /** `clsact`, `fq_codel`, … */
  kind: string;
}

/** Where a filter that was told of is; no direction for one that is not on a clsact qdisc. */
export interface TcFilterPlace {
  ifindex: number;
  direction?: Direction;
}

/** The filters of a link's clsact qdisc in running order. Empty without the qdisc, and for a link that does not exist. */
export function tcFilters(place: TcPlace): TcFilter[] {
  return decodeTcFilters(dump(listing(place)));
}

/** {@link tcFilters} on a thread of libuv's pool: they are listed under rtnetlink's lock. The namespace stays open until it is settled. */
export async function tcFiltersAsync(place: TcPlace): Promise<TcFilter[]> {
  return decodeTcFilters(await dumpAsync(listing(place)));
}

function listing({ netns, ifindex, direction }: TcPlace): NetlinkRequest {
  const payload = new PayloadWriter().struct(tcmsgLength, (view) => {
    view.setInt32(4, ifindex, littleEndian);
    view.setUint32(12, clsactParent[direction], littleEndian);
  });
  // Dump order is the order of classification: both walk the chain, then the filters of each (tcf_chain_dump, net/sched/cls_api.c).
  const doing = `listing ${direction} filters of link ${ifindex}`;
  return { netns, doing, type: RTM_GETTFILTER, name: "RTM_GETTFILTER", payload: payload.finish() };
}

function decodeTcFilters(messages: Message[]): TcFilter[] {
  return messages
    .filter((message) => message.type === RTM_NEWTFILTER)
    .map((message) => decodeTcFilter(message.payload))
    .filter((filter) => filter !== undefined);
}

/** Undefined for the message with handle 0 that announces all filters of one priority. */
export function decodeTcFilter(payload: Uint8Array): TcFilter | undefined {
  const header = structOf(payload, tcmsgLength, "tcmsg");
  const handle = header.getUint32(8, littleEndian);
  if (handle === 0) return undefined;
  // TC_H_MAKE(priority << 16, protocol), the protocol in network order.
  const info = header.getUint32(16, littleEndian);
  const attributes = Attributes.parse(payload.subarray(tcmsgLength));
  const kind = attributes.string(TCA_KIND) ?? "";
  const swapped = info & 0xffff;
  return {
    priority: info >>> 16,
    handle,
    protocol: littleEndian ? ((swapped & 0xff) << 8) | (swapped >> 8) : swapped,
    kind,
    chain: attributes.u32(TCA_CHAIN) ?? 0,
    ...(kind === "bpf" ? bpfOptions(attributes.nested(TCA_OPTIONS)) : {}),
  };
}

export function placeOf(payload: Uint8Array): TcFilterPlace {
  const header = structOf(payload, tcmsgLength, "tcmsg");
  const parent = header.getUint32(12, littleEndian);
  const direction = (["ingress", "egress"] as const).find((each) => clsactParent[each] === parent);
  return { ifindex: header.getInt32(4, littleEndian), ...(direction && { direction }) };
}

export function decodeQdisc(payload: Uint8Array): Qdisc {
  const header = structOf(payload, tcmsgLength, "tcmsg");
  const kind = Attributes.parse(payload.subarray(tcmsgLength)).string(TCA_KIND) ?? "";
  return { ifindex: header.getInt32(4, littleEndian), kind };
}

function bpfOptions(options: Attributes | undefined): Partial<TcFilter> {
  if (options === undefined) return {};
  const name = options.string(TCA_BPF_NAME);
  const programId = options.u32(TCA_BPF_ID);
  const tag = options.bytes(TCA_BPF_TAG);
  return {
    ...(name === undefined ? {} : { name }),
    ...(programId === undefined ? {} : { programId }),
    ...(tag === undefined ? {} : { tag: Buffer.from(tag).toString("hex") }),
    directAction: ((options.u32(TCA_BPF_FLAGS) ?? 0) & TCA_BPF_FLAG_ACT_DIRECT) !== 0,
  };
}

/** Indices of the links of a namespace that have a clsact qdisc. */
export function clsactLinks(netns?: NetnsFd): ReadonlySet<number> {
  // All links are listed, whatever is asked for (tc_dump_qdisc, net/sched/sch_api.c).
  const messages = dump({
    netns,
    doing: "listing qdiscs",
    type: RTM_GETQDISC,
    name: "RTM_GETQDISC",
    payload: new PayloadWriter().struct(tcmsgLength).finish(),
  }).filter(({ type }) => type === RTM_NEWQDISC);
  const clsact = messages.map(({ payload }) => decodeQdisc(payload)).filter(({ kind }) => kind === "clsact");
  return new Set(clsact.map(({ ifindex }) => ifindex));
}
