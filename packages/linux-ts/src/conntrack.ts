import { Attributes, PayloadWriter, structOf, viewOf } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import { addressFamily, type Family, familyOf, formatAddress } from "./ip-address.ts";
import type { Message } from "./messages.ts";
import type { NetnsFd } from "./netns.ts";
import { dump, request } from "./request.ts";

/** include/uapi/linux/netlink.h. */
const NETLINK_NETFILTER = 12;
/** NFNL_SUBSYS_CTNETLINK (include/uapi/linux/netfilter/nfnetlink.h) in the upper byte, enum cntl_msg_types in the lower. */
const IPCTNL_MSG_CT_NEW = 0x100;
const IPCTNL_MSG_CT_GET = 0x101;
const IPCTNL_MSG_CT_DELETE = 0x102;
/** struct nfgenmsg: u8 family, version; be16 res_id. */
const nfgenmsgLength = 4;

/** enum ctattr_type and those of its nests (include/uapi/linux/netfilter/nfnetlink_conntrack.h). Numbers are in network byte order. */
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_MARK = 8;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_MARK_MASK = 21;
const CTA_FILTER = 25;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP = { 4: { source: 1, destination: 2 }, 6: { source: 3, destination: 4 } } as const;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER_ORIG_FLAGS = 1;
/** CTA_FILTER_F_CTA_PROTO_NUM | CTA_FILTER_F_CTA_PROTO_DST_PORT (net/netfilter/nf_conntrack_netlink.c). */
const byProtocolAndPort = (1 << 3) | (1 << 5);

/** One direction of a connection. Protocols without ports have 0. */
export interface ConntrackTuple {
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
}

/** What the kernel knows of one connection. */
export interface ConntrackEntry {
  family: Family;
  /** IPPROTO_*: 6 is TCP, 17 UDP. */
  protocol: number;
  original: ConntrackTuple;
  /** What an answer has: another source than the original's destination tells that it is translated. */
  reply: ConntrackTuple;
  mark: number;
  /** Tells this very entry to the kernel. */
  key: ConntrackKey;
}

export interface ConntrackKey {
  tuple: Uint8Array;
  id?: Uint8Array;
  zone?: Uint8Array;
}

export interface ConntrackFilter {
  family: Family;
  /** Only connections to this port by this protocol. The kernel chooses them since Linux 5.8; before, all are read. */
  to?: { protocol: number; port: number };
}

/** The connections that conntrack follows in the netns. Throws the kernel's errno: `EINVAL` where it has no nf_conntrack_netlink. */
export function conntrackEntries(netns: NetnsFd, { family, to }: ConntrackFilter): ConntrackEntry[] {
  const payload = header(family);
  if (to) {
    const protocol = new PayloadWriter().u8(CTA_PROTO_NUM, to.protocol).attribute(CTA_PROTO_DST_PORT, be16(to.port));
    payload
      .nested(CTA_TUPLE_ORIG, new PayloadWriter().nested(CTA_TUPLE_PROTO, protocol))
      .nested(CTA_FILTER, new PayloadWriter().u32(CTA_FILTER_ORIG_FLAGS, byProtocolAndPort));
  }
  return dump({
    netns,
    protocol: NETLINK_NETFILTER,
    doing: "listing the connections of conntrack",
    type: IPCTNL_MSG_CT_GET,
    name: "IPCTNL_MSG_CT_GET",
    payload: payload.finish(),
  })
    .flatMap((message) => decodeConntrack(message) ?? [])
    .filter(
      (entry) =>
        entry.family === family &&
        (to === undefined || (entry.protocol === to.protocol && entry.original.destinationPort === to.port)),
    );
}

/** Makes conntrack forget a connection. False: it had already. */
export function deleteConntrack(netns: NetnsFd, entry: ConntrackEntry): boolean {
  return change(netns, {
    doing: `deleting the connection of conntrack ${describe(entry)}`,
    type: IPCTNL_MSG_CT_DELETE,
    name: "IPCTNL_MSG_CT_DELETE",
    payload: keyed(entry).finish(),
  });
}

/** Sets the bits of `mask` in a connection's mark. False: conntrack has forgotten it. */
export function markConntrack(
  netns: NetnsFd,
  entry: ConntrackEntry,
  { mark, mask }: { mark: number; mask: number },
): boolean {
  return change(netns, {
    doing: `marking the connection of conntrack ${describe(entry)}`,
    type: IPCTNL_MSG_CT_NEW,
    name: "IPCTNL_MSG_CT_NEW",
    payload: keyed(entry).attribute(CTA_MARK, be32(mark)).attribute(CTA_MARK_MASK, be32(mask)).finish(),
  });
}

function change(netns: NetnsFd, spec: { doing: string; type: number; name: string; payload: Uint8Array }): boolean {
  try {
    request({ netns, protocol: NETLINK_NETFILTER, ...spec });
    return true;
  } catch (error) {
    if (error instanceof LinuxError && error.code === "ENOENT") return false;
    throw error;
  }
}

/** Undefined for what is no IPv4 or IPv6 connection. */
export function decodeConntrack({ payload }: Pick<Message, "payload">): ConntrackEntry | undefined {
  const family = familyOf(structOf(payload, nfgenmsgLength, "nfgenmsg").getUint8(0));
  if (family === undefined) return undefined;
  const attributes = Attributes.parse(payload.subarray(nfgenmsgLength));
  const tuple = attributes.bytes(CTA_TUPLE_ORIG);
  const original = decodeTuple(family, tuple);
  const reply = decodeTuple(family, attributes.bytes(CTA_TUPLE_REPLY));
  if (tuple === undefined || original === undefined || reply === undefined) return undefined;
  const mark = attributes.bytes(CTA_MARK);
  const id = attributes.bytes(CTA_ID);
  const zone = attributes.bytes(CTA_ZONE);
  return {
    family,
    protocol: original.protocol,
    original: original.tuple,
    reply: reply.tuple,
    mark: mark === undefined ? 0 : structOf(mark, 4, "CTA_MARK").getUint32(0, false),
    key: { tuple, ...(id === undefined ? {} : { id }), ...(zone === undefined ? {} : { zone }) },
  };
}

function decodeTuple(
  family: Family,
  bytes: Uint8Array | undefined,
): { protocol: number; tuple: ConntrackTuple } | undefined {
  if (bytes === undefined) return undefined;
  const attributes = Attributes.parse(bytes);
  const ip = Attributes.parse(attributes.bytes(CTA_TUPLE_IP) ?? new Uint8Array());
  const proto = Attributes.parse(attributes.bytes(CTA_TUPLE_PROTO) ?? new Uint8Array());
  const source = ip.bytes(CTA_IP[family].source);
  const destination = ip.bytes(CTA_IP[family].destination);
  const protocol = proto.u8(CTA_PROTO_NUM);
  if (source === undefined || destination === undefined || protocol === undefined) return undefined;
  const port = (type: number): number => {
    const value = proto.bytes(type);
    return value === undefined ? 0 : structOf(value, 2, "CTA_PROTO_*_PORT").getUint16(0, false);
  };
  return {
    protocol,
    tuple: {
      source: formatAddress(source),
      sourcePort: port(CTA_PROTO_SRC_PORT),
      destination: formatAddress(destination),
      destinationPort: port(CTA_PROTO_DST_PORT),
    },
  };
}

const header = (family: Family): PayloadWriter =>
  new PayloadWriter().struct(nfgenmsgLength, (view) => view.setUint8(0, addressFamily[family]));

/** NLA_F_NESTED of a nest that is sent back as it came. */
const nested = 0x8000;

function keyed({ family, key }: ConntrackEntry): PayloadWriter {
  const payload = header(family).attribute(CTA_TUPLE_ORIG | nested, key.tuple);
  if (key.id) payload.attribute(CTA_ID, key.id);
  if (key.zone) payload.attribute(CTA_ZONE, key.zone);
  return payload;
}

function be16(value: number): Uint8Array {
  const bytes = new Uint8Array(2);
  viewOf(bytes).setUint16(0, value, false);
  return bytes;
}

function be32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, false);
  return bytes;
}

const describe = ({
  protocol,
  original: { source, sourcePort, destination, destinationPort },
}: ConntrackEntry): string =>
  `from ${source} port ${sourcePort} to ${destination} port ${destinationPort}, protocol ${protocol}`;
