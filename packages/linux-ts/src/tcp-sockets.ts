import { littleEndian, PayloadWriter, structOf } from "./attributes.ts";
import { addressFamily, type Family, familyOf, formatAddress } from "./ip-address.ts";
import type { NetnsFd } from "./netns.ts";
import { dump, NETLINK_SOCK_DIAG } from "./request.ts";

/** SOCK_DIAG_BY_FAMILY (include/uapi/linux/sock_diag.h). */
const SOCK_DIAG_BY_FAMILY = 20;
const IPPROTO_TCP = 6;

/** TCP_* (include/net/tcp_states.h). */
const states = {
  established: 1,
  "syn-sent": 2,
  "syn-recv": 3,
  "fin-wait-1": 4,
  "fin-wait-2": 5,
  "time-wait": 6,
  close: 7,
  "close-wait": 8,
  "last-ack": 9,
  listen: 10,
  closing: 11,
  "new-syn-recv": 12,
  "bound-inactive": 13,
} as const;
export type TcpState = keyof typeof states;
const stateNames = new Map<number, TcpState>(
  Object.entries(states).map(([name, number]) => [number, name as TcpState]),
);

/** struct inet_diag_sockid (include/uapi/linux/inet_diag.h): be16 ports, be32 src[4], dst[4], u32 if, cookie[2]. */
const sockidLength = 48;
/** struct inet_diag_req_v2: u8 family, protocol, ext, pad; u32 states; sockid. */
const requestLength = 8 + sockidLength;
/** struct inet_diag_msg: u8 family, state, timer, retrans; sockid; u32 expires, rqueue, wqueue, uid, inode. */
const messageLength = 4 + sockidLength + 20;

export interface TcpSocket {
  /** Of the socket: an IPv4 connection of a dual-stack socket is 6, with `::ffff:` addresses. */
  family: Family;
  state: TcpState;
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
  /** As in /proc/<pid>/fd; 0 for one without a process (TIME_WAIT, orphaned). */
  inode: number;
}

/** The TCP sockets of the netns in the given states (default: all), IPv4 first. */
export function tcpSockets(netns?: NetnsFd, filter: { states?: readonly TcpState[] } = {}): TcpSocket[] {
  const wanted = filter.states ?? (Object.keys(states) as TcpState[]);
  const mask = wanted.reduce((bits, state) => bits | (1 << states[state]), 0);
  const families: Family[] = [4, 6];
  return families.flatMap((family) => {
    const payload = new PayloadWriter().struct(requestLength, (view) => {
      view.setUint8(0, addressFamily[family]);
      view.setUint8(1, IPPROTO_TCP);
      view.setUint32(4, mask, littleEndian);
    });
    const name = "SOCK_DIAG_BY_FAMILY";
    return dump({
      netns,
      doing: "listing TCP sockets",
      protocol: NETLINK_SOCK_DIAG,
      type: SOCK_DIAG_BY_FAMILY,
      name,
      payload: payload.finish(),
    })
      .filter((message) => message.type === SOCK_DIAG_BY_FAMILY)
      .map((message) => decodeTcpSocket(message.payload))
      .filter((socket) => socket !== undefined);
  });
}

/** Undefined for a family or state that is not TCP over IP as known here. */
export function decodeTcpSocket(payload: Uint8Array): TcpSocket | undefined {
  const view = structOf(payload, messageLength, "inet_diag_msg");
  const family = familyOf(view.getUint8(0));
  const state = stateNames.get(view.getUint8(1));
  if (family === undefined || state === undefined) return undefined;
  const addressLength = family === 4 ? 4 : 16;
  return {
    family,
    state,
    source: formatAddress(payload.subarray(8, 8 + addressLength)),
    sourcePort: view.getUint16(4, false),
    destination: formatAddress(payload.subarray(24, 24 + addressLength)),
    destinationPort: view.getUint16(6, false),
    inode: view.getUint32(messageLength - 4, littleEndian),
  };
}
