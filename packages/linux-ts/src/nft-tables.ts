import { Attributes, PayloadWriter } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import type { NetnsFd } from "./netns.ts";
import { absent, nftFamily } from "./nft-family.ts";
import { dump, NETLINK_NETFILTER } from "./request.ts";

/** NFNL_SUBSYS_NFTABLES (include/uapi/linux/netfilter/nfnetlink.h) and NFT_MSG_GETTABLE (nf_tables.h): subsystem and message in one. */
const NFT_MSG_GETTABLE = (10 << 8) | 1;
/** struct nfgenmsg (nfnetlink.h): u8 family, u8 version, be16 res_id. */
const nfgenmsgLength = 4;
const NFTA_TABLE_NAME = 1;

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
      return `${nftFamily(payload[0] ?? 0)} ${name}`;
    });
  } catch (error) {
    if (error instanceof LinuxError && absent.includes(error.code)) return undefined;
    throw error;
  }
}
