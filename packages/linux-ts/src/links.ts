import { Attributes, littleEndian, PayloadWriter, structOf } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import { formatMac } from "./mac-address.ts";
import type { Message } from "./messages.ts";
import type { NetnsFd } from "./netns.ts";
import { dump, type NetlinkRequest, request, requestAsync } from "./request.ts";
import { decodeTunnel, type Tunnel } from "./tunnels.ts";

/** include/uapi/linux/rtnetlink.h. */
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;

/** enum in include/uapi/linux/if_link.h. */
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_EXT_MASK = 29;
const IFLA_LINK_NETNSID = 37;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;

/** RTEXT_FILTER_SKIP_STATS (include/uapi/linux/rtnetlink.h): no counters, which are most of a link's message. */
const RTEXT_FILTER_SKIP_STATS = 8;
/** IFF_UP (include/uapi/linux/if.h). */
const IFF_UP = 1;

/** struct ifinfomsg (rtnetlink.h): u8 family, u8 pad, u16 type, s32 index, u32 flags, u32 change. */
const ifinfomsgLength = 16;

export interface Link {
  index: number;
  name: string;
  /** `veth`, `bridge`, … as in `ip -d link`; absent for hardware and loopback. */
  kind?: string;
  /** Lower-case with colons; empty when the device has no hardware address. */
  mac: string;
  /** Bytes. */
  mtu: number;
  /** Set up by the administrator (IFF_UP); says nothing about the carrier. */
  up: boolean;
  /** A veth's other end, or the device that a VLAN, macvlan or tunnel rests on (IFLA_LINK). */
  peerIndex?: number;
  /** The netns of peerIndex as an id in this netns; absent when it is in this one (IFLA_LINK_NETNSID). See netnsId(). */
  peerNetnsId?: number;
  /** Index of the bridge, bond or VRF that the link is a port of. */
  master?: number;
  /** Of a link of the kind `geneve` or `vxlan`. */
  tunnel?: Tunnel;
}

/** Undefined for a message about something else: bridge ports are announced by link messages of another family. */
export function decodeLink(payload: Uint8Array): Link | undefined {
  const header = structOf(payload, ifinfomsgLength, "ifinfomsg");
  // A port that leaves its bridge is announced as RTM_DELLINK of AF_BRIDGE (net/bridge/br_netlink.c); the link lives on.
  if (header.getUint8(0) !== 0) return undefined;
  const attributes = Attributes.parse(payload.subarray(ifinfomsgLength));
  const info = attributes.nested(IFLA_LINKINFO);
  const kind = info?.string(IFLA_INFO_KIND);
  const tunnel = info && decodeTunnel(kind, () => info.nested(IFLA_INFO_DATA));
  const peerIndex = attributes.u32(IFLA_LINK);
  const peerNetnsId = attributes.s32(IFLA_LINK_NETNSID);
  const master = attributes.u32(IFLA_MASTER);
  return {
    index: header.getInt32(4, littleEndian),
    name: attributes.string(IFLA_IFNAME) ?? "",
    ...(kind === undefined ? {} : { kind }),
    mac: formatMac(attributes.bytes(IFLA_ADDRESS) ?? new Uint8Array()),
    mtu: attributes.u32(IFLA_MTU) ?? 0,
    up: (header.getUint32(8, littleEndian) & IFF_UP) !== 0,
    // 0: a tunnel that is bound to no device. -1: NETNSA_NSID_NOT_ASSIGNED, the other netns is going away.
    ...(peerIndex === undefined || peerIndex === 0 ? {} : { peerIndex }),
    ...(peerNetnsId === undefined || peerNetnsId < 0 ? {} : { peerNetnsId }),
    ...(master === undefined ? {} : { master }),
    ...(tunnel === undefined ? {} : { tunnel }),
  };
}

function payload(index = 0): PayloadWriter {
  return new PayloadWriter()
    .struct(ifinfomsgLength, (view) => view.setInt32(4, index, littleEndian))
    .u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

/** All links of the netns, by index. */
export function links(netns?: NetnsFd): Link[] {
  return decodeLinks(
    dump({ netns, doing: "listing links", type: RTM_GETLINK, name: "RTM_GETLINK", payload: payload().finish() }),
  ).sort((a, b) => a.index - b.index);
}

/** One link by name or index; undefined when there is none. */
export function link(netns: NetnsFd, nameOrIndex: string | number): Link | undefined {
  const spec = oneLink(netns, nameOrIndex);
  try {
    return decodeLinks(request(spec))[0];
  } catch (error) {
    return unlessAbsent(error);
  }
}

/**
 * {@link link} on a thread of libuv's pool. The kernel looks for a link under rtnetlink's lock, for which many wait where pods are being
 * made. The namespace may be closed as soon as this returns.
 */
export async function linkAsync(netns: NetnsFd, nameOrIndex: string | number): Promise<Link | undefined> {
  const spec = oneLink(netns, nameOrIndex);
  return requestAsync(spec).then((messages) => decodeLinks(messages)[0], unlessAbsent);
}

function oneLink(netns: NetnsFd, nameOrIndex: string | number): NetlinkRequest {
  if (typeof nameOrIndex === "number" ? !(nameOrIndex > 0) : !/^[^\s/:]{1,15}$/.test(nameOrIndex)) {
    // The kernel takes index 0 for "any" and cuts long names: both would answer something else than asked.
    throw new LinuxError("ERR_INVALID_ARGUMENT", `${JSON.stringify(nameOrIndex)} is no link's name or index`);
  }
  const body = typeof nameOrIndex === "number" ? payload(nameOrIndex) : payload().string(IFLA_IFNAME, nameOrIndex);
  const doing = `looking for link ${nameOrIndex}`;
  return { netns, doing, type: RTM_GETLINK, name: "RTM_GETLINK", payload: body.finish() };
}

function unlessAbsent(error: unknown): undefined {
  if (error instanceof LinuxError && error.code === "ENODEV") return undefined;
  throw error;
}

/** Sets a link up, as its administrator does. One that is up stays so. Throws `ENODEV` when there is none of this index. */
export function setLinkUp(netns: NetnsFd, index: number): void {
  const body = new PayloadWriter().struct(ifinfomsgLength, (view) => {
    view.setInt32(4, index, littleEndian);
    view.setUint32(8, IFF_UP, littleEndian);
    // Which of the flags are meant.
    view.setUint32(12, IFF_UP, littleEndian);
  });
  request({ netns, doing: `setting link ${index} up`, type: RTM_NEWLINK, name: "RTM_NEWLINK", payload: body.finish() });
}

function decodeLinks(messages: Message[]): Link[] {
  return messages
    .filter((message) => message.type === RTM_NEWLINK)
    .map((message) => decodeLink(message.payload))
    .filter((found) => found !== undefined);
}
