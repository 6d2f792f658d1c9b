/** `NFPROTO_IPV4`, `NFPROTO_IPV6` of include/uapi/linux/netfilter.h. */
export const NETFILTER_FAMILIES = { ipv4: 2, ipv6: 10 } as const;
/** `enum nf_inet_hooks` of the same file. */
export const NETFILTER_HOOKS = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

export type NetfilterFamily = keyof typeof NETFILTER_FAMILIES;
export type NetfilterHook = keyof typeof NETFILTER_HOOKS;
