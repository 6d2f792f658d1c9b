import { Attributes, PayloadWriter } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import type { NetnsFd } from "./netns.ts";
import { absent } from "./nft-family.ts";
import { dump, NETLINK_NETFILTER } from "./request.ts";

/** NFNL_SUBSYS_IPSET (include/uapi/linux/netfilter/nfnetlink.h) and IPSET_CMD_LIST (ipset/ip_set.h): subsystem and message in one. */
const IPSET_CMD_LIST = (6 << 8) | 7;
/** struct nfgenmsg (nfnetlink.h): u8 family, u8 version, be16 res_id. */
const nfgenmsgLength = 4;
/** enum in include/uapi/linux/netfilter/ipset/ip_set.h. */
const IPSET_ATTR_PROTOCOL = 1;
const IPSET_ATTR_SETNAME = 2;
const IPSET_ATTR_FLAGS = 6;
/** IPSET_PROTOCOL_MIN: every kernel that has sets speaks it. */
const protocol = 6;
/** IPSET_FLAG_LIST_SETNAME, in network byte order as NLA_F_NET_BYTEORDER says. */
const LIST_SETNAME = 2;
const NLA_F_NET_BYTEORDER = 0x4000;

/**
 * Names of the sets of ipset(8), whoever made them; undefined where the kernel has none of it. Asks the kernel itself: ipset(8) need not be
 * installed. Needs CAP_NET_ADMIN (`EPERM`).
 */
export function ipSets(netns?: NetnsFd): string[] | undefined {
  const flags = new Uint8Array(4);
  new DataView(flags.buffer).setUint32(0, LIST_SETNAME, false);
  try {
    return dump({
      netns,
      protocol: NETLINK_NETFILTER,
      doing: "listing sets of ipset",
      type: IPSET_CMD_LIST,
      name: "IPSET_CMD_LIST",
      payload: new PayloadWriter()
        .struct(nfgenmsgLength)
        .u8(IPSET_ATTR_PROTOCOL, protocol)
        .attribute(IPSET_ATTR_FLAGS | NLA_F_NET_BYTEORDER, flags)
        .finish(),
    }).flatMap(({ payload }) => Attributes.parse(payload.subarray(nfgenmsgLength)).string(IPSET_ATTR_SETNAME) ?? []);
  } catch (error) {
    if (error instanceof LinuxError && absent.includes(error.code)) return undefined;
    throw error;
  }
}
