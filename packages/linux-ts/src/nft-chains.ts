import { Attributes, PayloadWriter } from "./attributes.ts";
import { LinuxError } from "./errors.ts";
import type { NetnsFd } from "./netns.ts";
import { absent, nftFamily } from "./nft-family.ts";
import { dump, NETLINK_NETFILTER } from "./request.ts";

/** NFNL_SUBSYS_NFTABLES (include/uapi/linux/netfilter/nfnetlink.h) and NFT_MSG_GETCHAIN (nf_tables.h): subsystem and message in one. */
const NFT_MSG_GETCHAIN = (10 << 8) | 4;
/** struct nfgenmsg (nfnetlink.h): u8 family, u8 version, be16 res_id. */
const nfgenmsgLength = 4;
/** enum nft_chain_attributes (nf_tables.h). */
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;

export interface NftChain {
  /** As nft(8) calls it: `ip`, `inet`, … */
  family: string;
  table: string;
  name: string;
  /** A hook of the network stack calls it; others are jumped to. */
  isBase: boolean;
}

/**
 * Chains of nftables, those of iptables-nft among them (its tables are `ip filter`, `ip mangle`, …); undefined where the kernel has no
 * nf_tables. Asks the kernel itself: nft(8) need not be installed. Needs CAP_NET_ADMIN (`EPERM`).
 */
export function nftChains(netns?: NetnsFd): NftChain[] | undefined {
  try {
    return dump({
      netns,
      protocol: NETLINK_NETFILTER,
      doing: "listing chains of nftables",
      type: NFT_MSG_GETCHAIN,
      name: "NFT_MSG_GETCHAIN",
      payload: new PayloadWriter().struct(nfgenmsgLength).finish(),
    }).map(({ payload }) => {
      const attributes = Attributes.parse(payload.subarray(nfgenmsgLength));
      return {
        family: nftFamily(payload[0] ?? 0),
        table: attributes.string(NFTA_CHAIN_TABLE) ?? "",
        name: attributes.string(NFTA_CHAIN_NAME) ?? "",
        isBase: attributes.bytes(NFTA_CHAIN_HOOK) !== undefined,
      };
    });
  } catch (error) {
    if (error instanceof LinuxError && absent.includes(error.code)) return undefined;
    throw error;
  }
}
