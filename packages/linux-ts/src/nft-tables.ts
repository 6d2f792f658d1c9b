import { Attributes, PayloadWriter } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import type { NetnsFd } from "./netns.ts";
import { dump, NETLINK_NETFILTER } from "./request.ts";

/** NFNL_SUBSYS_NFTABLES (include/uapi/linux/netfilter/nfnetlink.h) and NFT_MSG_GETTABLE (nf_tables.h): subsystem and message in one. */
const NFT_MSG_GETTABLE = (10 << 8) | 1;
/** struct nfgenmsg (nfnetlink.h): u8 family, u8 version, be16 res_id. */
const nfgenmsgLength = 4;
const NFTA_TABLE_NAME = 1;

/** NFPROTO_* (include/uapi/linux/netfilter.h) in the words of nft(8). */
const families = new Map<number, string>([
  [1, "inet"],
  [2, "ip"],
  [3, "arp"],
  [5, "netdev"],
  [7, "bridge"],
  [10, "ip6"],
]);

/** The kernel has no nf_tables: no netlink protocol for netfilter, or nobody who answers on it (net/netfilter/nfnetlink.c). */
const absent = ["EPROTONOSUPPORT", "EINVAL", "EOPNOTSUPP"];

/**
 * Tables of nftables as `<family> <name>`, whoever made them, for instance `ip kube-proxy`; undefined where the kernel has no nf_tables.
 * Asks the kernel itself: nft(8) need not be installed. Needs CAP_NET_ADMIN (`EPERM`).
 */
export function nftTables(netns?: NetnsFd): string[] | undefined {
  try {
    return dump({
      netns,
      protocol: NETLINK_NETFILTER,
      doing: "listing tables of nftables",
      type: NFT_MSG_GETTABLE,
      name: "NFT_MSG_GETTABLE",
      payload: new PayloadWriter().struct(nfgenmsgLength).finish(),
    }).map(({ payload }) => {
      const name = Attributes.parse(payload.subarray(nfgenmsgLength)).string(NFTA_TABLE_NAME);
      const family = payload[0] ?? 0;
      return `${families.get(family) ?? `family ${family}`} ${name}`;
    });
  } catch (error) {
    if (error instanceof LinuxError && absent.includes(error.code)) return undefined;
    throw error;
  }
}
