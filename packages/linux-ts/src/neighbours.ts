import { Attributes, littleEndian, PayloadWriter, structOf } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import { addressFamily, type Family, familyOf, formatAddress, parseAddress } from "./ip-address.ts";
import { formatMac } from "./mac-address.ts";
import type { Message } from "./messages.ts";
import type { NetnsFd } from "./netns.ts";
import { dump, dumpAsync, type NetlinkRequest, request } from "./request.ts";

/** include/uapi/linux/rtnetlink.h. */
const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;

/** enum in include/uapi/linux/neighbour.h. */
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_IFINDEX = 8;

/** NUD_* (neighbour.h), which say what ip-neighbour(8) calls states. An entry has one of them, or none just after it was made. */
const states = {
  1: "incomplete",
  2: "reachable",
  4: "stale",
  8: "delay",
  16: "probe",
  32: "failed",
  64: "noarp",
  128: "permanent",
} as const;

/** struct ndmsg (neighbour.h): u8 family, u8 and u16 pad, s32 index, u16 state, u8 flags, u8 type. */
const ndmsgLength = 12;

/** `noarp` is what needs no resolution, such as a multicast address; `permanent` what was configured; the rest is learnt, or was tried to. */
export type NeighbourState = (typeof states)[keyof typeof states] | "none";

export interface Neighbour {
  /** Of the link that it is behind. */
  index: number;
  family: Family;
  /** Canonical text. */
  address: string;
  state: NeighbourState;
  /** Of its interface; absent while it is not known. */
  mac?: string;
}

/** Undefined for families other than IPv4 and IPv6. */
export function decodeNeighbour(payload: Uint8Array): Neighbour | undefined {
  const header = structOf(payload, ndmsgLength, "ndmsg");
  const family = familyOf(header.getUint8(0));
  if (family === undefined) return undefined;
  const attributes = Attributes.parse(payload.subarray(ndmsgLength));
  const destination = attributes.bytes(NDA_DST);
  if (destination === undefined) return undefined;
  const mac = attributes.bytes(NDA_LLADDR);
  const state = header.getUint16(8, littleEndian) as keyof typeof states;
  return {
    index: header.getInt32(4, littleEndian),
    family,
    address: formatAddress(destination),
    state: states[state] ?? "none",
    ...(mac === undefined ? {} : { mac: formatMac(mac) }),
  };
}

/** What ARP and IPv6 neighbour discovery know in the netns, entries in every state. */
export function neighbours(netns?: NetnsFd): Neighbour[] {
  return decodeNeighbours(dump(allNeighbours(netns)));
}

/**
 * {@link neighbours} of one link, by its index, on a thread of libuv's pool: the kernel may read them under rtnetlink's lock. Those of other
 * links are left out by the kernel, which may have very many. None of a link that is not there.
 */
export async function neighboursAsync(netns: NetnsFd, index: number): Promise<Neighbour[]> {
  return decodeNeighbours(await dumpAsync(allNeighbours(netns, index))).filter(
    (neighbour) => neighbour.index === index,
  );
}

function allNeighbours(netns: NetnsFd, index?: number): NetlinkRequest {
  const payload = new PayloadWriter().struct(ndmsgLength);
  if (index !== undefined) payload.u32(NDA_IFINDEX, index);
  return { netns, doing: "listing neighbours", type: RTM_GETNEIGH, name: "RTM_GETNEIGH", payload: payload.finish() };
}

function decodeNeighbours(messages: Message[]): Neighbour[] {
  return messages
    .filter((message) => message.type === RTM_NEWNEIGH)
    .map((message) => decodeNeighbour(message.payload))
    .filter((neighbour) => neighbour !== undefined);
}

/**
 * Makes the kernel forget a neighbour, whatever its state, and drop what waits for it to be resolved. False: there is none, or its link
 * is gone. An entry that is in use that very moment stays until it is not, as `failed`, which is resolved anew when it is needed
 * (neigh_remove_one(), net/core/neighbour.c). Throws the kernel's other errors by errno, `ERR_INVALID_ARGUMENT` for what is no address.
 */
export function deleteNeighbour(netns: NetnsFd, { index, address }: Pick<Neighbour, "index" | "address">): boolean {
  const destination = parseAddress(address);
  const payload = new PayloadWriter()
    .struct(ndmsgLength, (view) => {
      view.setUint8(0, addressFamily[destination.length === 4 ? 4 : 6]);
      view.setInt32(4, index, littleEndian);
    })
    .attribute(NDA_DST, destination)
    .finish();
  const doing = `deleting the neighbour ${address} of link ${index}`;
  try {
    request({ netns, doing, type: RTM_DELNEIGH, name: "RTM_DELNEIGH", payload });
    return true;
  } catch (error) {
    if (error instanceof LinuxError && (error.code === "ENOENT" || error.code === "ENODEV")) return false;
    throw error;
  }
}
