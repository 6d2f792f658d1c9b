/** NFPROTO_* (include/uapi/linux/netfilter.h) in the words of nft(8). */
const families = new Map<number, string>([
  [1, "inet"],
  [2, "ip"],
  [3, "arp"],
  [5, "netdev"],
  [7, "bridge"],
  [10, "ip6"],
]);

export const nftFamily = (family: number): string => families.get(family) ?? `family ${family}`;

/** A part of netfilter that the kernel lacks: no netlink protocol for it, or nobody who answers on it (net/netfilter/nfnetlink.c). */
export const absent: readonly string[] = ["EPROTONOSUPPORT", "EINVAL", "EOPNOTSUPP"];
