/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The map layout shared by the programs and by user space. Any change of a key, a value or a map's meaning is a new
 * layout version (LAYOUT_VERSION names the pin directory), because running programs keep the old maps. What running
 * programs never look at may be added: a map, a bit that was reserved, a verdict (docs/adr/0012). A new version takes
 * over by the names of members (docs/adr/0036): another meaning is another name, and zero means what it meant before.
 *
 * Addresses are 16 bytes; IPv4 is written as ::ffff:a.b.c.d. Addresses and ports are in network byte order, everything
 * else in host byte order.
 */
#ifndef MILLRACE_LAYOUT_H
#define MILLRACE_LAYOUT_H

#include <linux/types.h>

#define LAYOUT_VERSION 1

#define MAX_PROXIES 8 /* slots in `proxies`: one active, the others draining */

struct address {
	__u8 bytes[16];
} __attribute__((aligned(4))); /* copied and compared by words; no struct below changes its size or offsets by it */

/*
 * One word, read at once. The kernel updates an array's value by memcpy() in place, which is not promised to be one
 * store: user space writes the draining bit of the old proxy first and the new active one second.
 */
struct settings {
	__u8 active;   /* slot + 1 of the active proxy; 0: none, members' TCP fails closed */
	__u8 draining; /* bit n: slot n holds a draining proxy */
	__u16 flags;   /* SETTING_* */
	__u32 reserved;
};

#define SETTING_FAIL_OPEN 0x1 /* no active proxy: members' TCP passes */
#define SETTING_ROUTED 0x2 /* localDelivery: routed; the host's stack delivers what a proxy sends to a local member */

/* How to reach a proxy from the node's network namespace. */
struct proxy {
	__u32 ifindex; /* host end of its veth; 0: slot is free */
	__u32 netnsid; /* id of its netns as seen from the node's netns, for bpf_skc_lookup_tcp() */
	__u8 mac[6];   /* its inner end */
	__u8 flags;    /* PROXY_* */
	__u8 reserved;
};

/* Rules in its namespace lead what has DIRECTION_MAC_DNS to its port 15053. */
#define PROXY_DNS 0x1

/* Key: ifindex of the member's host veth. */
struct workload {
	__u32 flags; /* WORKLOAD_*, written by user space only */
	/*
	 * Set by app_inbound: the map `via_host` has entries for this member. A word of its own, so that setting it
	 * never rewrites `flags`. If user space clears it, the next packet that the host delivers for a proxy sets it.
	 */
	__u32 via_host;
	__u64 adopt_until_ns; /* CLOCK_MONOTONIC; until then, what is older than the enrolment passes */
};

/*
 * Set while only one of the two programs may be attached, before enrolment and after it: new connections pass, those
 * that a proxy has stay with it. Clearing or setting it is one write that both programs see, so no connection is caught
 * one way only.
 */
#define WORKLOAD_PASSING 0x1
/* It has exclusions, or connections that were excluded. Stays until the workload goes. */
#define WORKLOAD_EXCLUDES 0x2
/* What it sends to port 53 goes to the proxy's DNS port. */
#define WORKLOAD_DNS 0x4
/*
 * Another redirection on this node has the member too, and a connection stays with the one that has seen its SYN: the node
 * may translate what it has begun by the other one. What begins here is noted in `begun`, under this value of
 * adopt_until_ns, which is over.
 */
#define WORKLOAD_JOINING 0x8  /* what is not noted is the other's; with WORKLOAD_PASSING all is */
#define WORKLOAD_LEAVING 0x10 /* with WORKLOAD_PASSING: what a proxy accepts and is not noted is the other's */

/* Key: address of a member. Where a proxy's packet for it goes when delivered directly. */
struct member {
	__u32 ifindex; /* host end of the member's veth */
	__u8 mac[6];   /* inner end */
	__u8 reserved[2];
};

/* Key of `addresses`: an address of the node or of a proxy. Value: */
#define ADDRESS_NODE 0x1
#define ADDRESS_PROXY 0x2

/* Who begins the connections that an exclusion is about. */
enum excluded_way {
	EXCLUDED_OUTBOUND = 0, /* the workload */
	EXCLUDED_INBOUND = 1,  /* somebody else */
};

/* Key of `excluded_ports`: a port that connections go to. Value: always 1. */
struct excluded_port {
	__u32 ifindex; /* of the workload, as in `workloads` */
	__be16 port;
	__u8 way;      /* enum excluded_way */
	__u8 reserved; /* 0 */
};

/* Key of `excluded_networks`: the network at the other end. Value: always 1. */
struct excluded_network {
	__u32 prefix_bits; /* 64 for the two words, and those of the address: an IPv4 /8 has 64 + 96 + 8 */
	__u32 ifindex;
	__u32 way;
	struct address address;
};

/* Value of `excluded`: how far a connection that is not captured has got. Bytes, so that no CPU overwrites another's. */
struct excluded_state {
	__u8 member_ended; /* the member has sent a FIN */
	__u8 peer_ended;
	__u8 is_reset;
	__u8 reserved;
};

/* A connection as the packet at hand shows it. */
struct flow {
	struct address source;
	struct address destination;
	__be16 source_port;
	__be16 destination_port;
};

/* Value of `flows` (one map per proxy): the listener a redirected SYN is for. */
enum direction {
	DIRECTION_OUTBOUND = 0, /* 15001 */
	DIRECTION_INBOUND = 1,	/* 15006 */
	DIRECTION_HBONE = 2,	/* 15008 */
	DIRECTION_COUNT = 3,
	DIRECTION_DNS = 4, /* 15053, by the namespace's own rules: no listener of ours */
};

#define PORT_OUTBOUND 15001
#define PORT_INBOUND 15006
#define PORT_HBONE 15008
#define PORT_DNS 53

/* Index into `listeners` (one sockmap per proxy). */
#define LISTENER_INDEX(direction, is_ipv6) ((direction)*2 + !!(is_ipv6))
#define LISTENER_COUNT (DIRECTION_COUNT * 2)

/*
 * Redirected packets say where they come from by their source MAC, locally administered (IEEE 802 section 8.4).
 * skb->mark is cleared between network namespaces and skb->cb is undocumented, so neither can carry it.
 */
/* clang-format off */
#define DIRECTION_MAC_OUTBOUND { 0x02, 0x4d, 0x52, 0x00, 0x00, 0x01 }
#define DIRECTION_MAC_INBOUND { 0x02, 0x4d, 0x52, 0x00, 0x00, 0x02 }
#define DIRECTION_MAC_DNS { 0x02, 0x4d, 0x52, 0x00, 0x00, 0x03 }
/* clang-format on */

/* A record of `events`: a packet that was dropped or refused, or with which a connection was captured. */
struct event {
	__u64 at_ns; /* CLOCK_MONOTONIC */
	/* As far as the packet was parsed; ports: TCP only. */
	struct address source;
	struct address destination;
	__be16 source_port;
	__be16 destination_port;
	__u32 ifindex; /* that of the program's hook; 0: a lookup, in a proxy's namespace */
	__u32 bytes;   /* of the frame without padding; 0: it could not be followed */
	__u8 program;  /* enum program */
	__u8 verdict;  /* enum verdict */
	__u8 tcp_flags;
	__u8 reserved;
};

/* The one value of `events_wanted`, written by whoever reads the events. */
struct events_wanted {
	__u64 until_ns; /* CLOCK_MONOTONIC; a reader that dies wants nothing any more a little later */
	__u32 kinds;	/* EVENTS_* */
	__u32 reserved;
};

#define EVENTS_STOPPED 0x1 /* what was dropped or refused */
#define EVENTS_BEGUN 0x2   /* connections that were captured */
#define EVENTS_OF_SOME 0x4 /* of these only what `events_of` names */

enum program {
	PROGRAM_APP_OUTBOUND = 0,
	PROGRAM_APP_INBOUND = 1,
	PROGRAM_ZTUNNEL_HOST_IN = 2,
	PROGRAM_ZTUNNEL_TPROXY = 3,
	PROGRAM_ZTUNNEL_LOOKUP = 4,
	PROGRAM_COUNT = 5,
};

/* What became of a packet (or of a listener lookup). Index into `counters`: program * VERDICT_COUNT + verdict. */
enum verdict {
	VERDICT_PASSED = 0,		 /* not a member's TCP, or not for us */
	VERDICT_CAPTURED = 1,		 /* to the active proxy; tproxy and lookup: steered to a listener */
	VERDICT_DRAINED = 2,		 /* to the draining proxy that owns the connection */
	VERDICT_BYPASSED = 3,		 /* probe of the node, or its answer; or the proxy's own address */
	VERDICT_DELIVERED = 4,		 /* from a proxy to a local member */
	VERDICT_ADOPTED = 5,		 /* older than the enrolment, passes while drained; host_in: keeps its ports */
	VERDICT_OPEN = 6,		 /* no proxy and failurePolicy is open */
	VERDICT_DROPPED_NO_PROXY = 7,	 /* no proxy and failurePolicy is closed */
	VERDICT_DROPPED_NO_LISTENER = 8, /* nobody listens on the port of that direction (RST), or takes DNS */
	VERDICT_DROPPED_UNPARSABLE = 9,	 /* a member's frame whose header chain cannot be followed */
	VERDICT_DROPPED_ERROR = 10,	 /* a helper failed */
	VERDICT_REFUSED_COLLISION = 11,	 /* another proxy has this connection: SYN answered with RST */
	VERDICT_REFUSED_ORPHAN = 12,	 /* of no connection that the proxy knows: answered with RST */
	VERDICT_COPIED = 13,		 /* ICMP error about a proxy's connection: the proxy gets a copy */
	VERDICT_EXCLUDED = 14,		 /* of a connection that exclusions name; host_in: keeps its ports */
	VERDICT_CAPTURED_DNS = 15,	 /* to the active proxy's DNS port */
	VERDICT_COUNT = 16,
};

#endif
