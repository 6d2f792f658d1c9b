import { errorCode } from "@millrace/core/internal";
import { nftTables } from "linux-ts";

/** What the kernel says of nftables on this host. */
export interface NftOnHost {
  /** Somebody could have rules there. */
  readonly available: boolean;
  /** The table of kube-proxy in its nftables mode. */
  readonly kubeProxy: string | undefined;
}

/** Without CAP_NET_ADMIN nobody can tell; the probe asks for that by itself. */
export function nftOnHost(netns?: number): NftOnHost {
  try {
    const tables = nftTables(netns);
    return { available: tables !== undefined, kubeProxy: tables?.find((table) => /^ip6? kube-proxy$/.test(table)) };
  } catch (error) {
    if (errorCode(error) === "EPERM") return { available: false, kubeProxy: undefined };
    throw error;
  }
}

/**
 * Whether nft(8) is needed: kube-proxy's chains have the hook and the priority of iptables' own, so that only a table of nftables can be ahead
 * of them for certain.
 */
export const nftNeed = ({ kubeProxy }: NftOnHost): string | undefined =>
  kubeProxy &&
  `kube-proxy is in its nftables mode here (table ${kubeProxy}), and rules of iptables alone cannot stay ahead of it`;
