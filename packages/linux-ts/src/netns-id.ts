import { Attributes, PayloadWriter } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import type { NetnsFd } from "./netns.ts";
import { request } from "./request.ts";

/** include/uapi/linux/rtnetlink.h. */
const RTM_NEWNSID = 88;
const RTM_GETNSID = 90;

/** enum in include/uapi/linux/net_namespace.h. */
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
/** NETNSA_NSID_NOT_ASSIGNED: in a request "choose one", in an answer "has none". */
const notAssigned = -1;

/** struct rtgenmsg (rtnetlink.h): u8 family. */
const rtgenmsgLength = 1;

export interface NetnsIdOptions {
  /** The namespace that asks; undefined is the thread's own. */
  from?: NetnsFd;
  /** Give it an id if it has none (`ip netns set <name> auto`; needs CAP_NET_ADMIN over both namespaces). */
  assign?: boolean;
}

/**
 * The number by which the namespace `from` knows the namespace behind `netns`: what Link.peerNetnsId holds, and what BPF's socket lookup
 * helpers take. Undefined when it has none. An id once assigned stays for the life of both.
 */
export function netnsId(netns: number, { from, assign = false }: NetnsIdOptions = {}): number | undefined {
  const existing = getId(netns, from);
  if (existing !== undefined || !assign) return existing;
  const payload = identify(netns).s32(NETNSA_NSID, notAssigned).finish();
  try {
    request({ netns: from, doing: "assigning a netns id", type: RTM_NEWNSID, name: "RTM_NEWNSID", payload });
  } catch (error) {
    // Somebody else was quicker: a veth towards it is enough.
    if (!(error instanceof LinuxError && error.code === "EEXIST")) throw error;
  }
  return getId(netns, from);
}

function identify(netns: number): PayloadWriter {
  return new PayloadWriter().struct(rtgenmsgLength).u32(NETNSA_FD, netns);
}

function getId(netns: number, from: NetnsFd): number | undefined {
  const answer = request({
    netns: from,
    doing: "asking for a netns id",
    type: RTM_GETNSID,
    name: "RTM_GETNSID",
    payload: identify(netns).finish(),
  });
  const message = answer.find(({ type }) => type === RTM_NEWNSID);
  if (message === undefined) return undefined;
  // Attributes start behind NLMSG_ALIGN(sizeof(struct rtgenmsg)).
  const id = Attributes.parse(message.payload.subarray(4)).s32(NETNSA_NSID);
  return id === undefined || id === notAssigned ? undefined : id;
}
