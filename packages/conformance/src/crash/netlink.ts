/** Families of rtnetlink messages that change something of ours, by their first type (include/uapi/linux/rtnetlink.h). */
const FAMILIES: Readonly<Record<number, string>> = {
  16: "LINK",
  20: "ADDR",
  24: "ROUTE",
  28: "NEIGH",
  32: "RULE",
  36: "QDISC",
  44: "TFILTER",
  88: "NSID",
};

/** What the last two bits of a type say (net/core/rtnetlink.c, `rtnl_msgtype_kind()`). */
const KINDS = ["NEW", "DEL", "GET", "SET"] as const;
const FIRST_OF_RTNETLINK = 16;

/** Messages to conntrack (include/uapi/linux/netfilter/nfnetlink.h: subsystem 1; nfnetlink_conntrack.h: 0 new, 2 delete). */
const CONNTRACK: Readonly<Record<number, string>> = { 256: "CT_NEW", 258: "CT_DELETE" };

/**
 * The change that a message asks the kernel for, from the arguments of sendto(2) or sendmsg(2); undefined where it only asks. strace
 * cannot name the type when the socket is of another network namespace than its own (`nlmsg_type=0x18`): it looks sockets up in its own.
 */
export function netlinkChange(args: string): string | undefined {
  if (!args.includes("NETLINK")) return undefined;
  const type = /\bnlmsg_type=(\w+)/.exec(args)?.[1];
  if (type === undefined) return undefined;
  const number = Number(type);
  if (Number.isNaN(number)) return /^(RTM_(NEW|DEL|SET)\w+|.*_(NEW|DEL|DELETE)\w*)$/.test(type) ? type : undefined;
  if (number >= 0x100) return CONNTRACK[number];
  const kind = KINDS[number & 3];
  if (number < FIRST_OF_RTNETLINK || kind === "GET") return undefined;
  return `RTM_${kind}${FAMILIES[number & ~3] ?? `_${type}`}`;
}
