/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maps of the acceleration: what a member and a proxy of this node send each other goes from socket to socket.
 *
 * A leg is one end of such a connection. Bytes that are redirected lie in a queue of the receiving socket that is read before
 * what came by TCP, and a read that empties it returns without looking at the other one (net/ipv4/tcp_bpf.c, tcp_bpf_recvmsg()).
 * Redirected after bytes that wait there by TCP they would overtake those. Bytes by TCP after them are in order, but a reader that takes
 * a short read for the end of what there is (epoll(7) says it may) leaves them, and with a FIN behind them it loses them. So
 *
 *     a leg redirects all that it ever sends, or nothing. Its first byte decides.
 *
 * Addresses are 16 bytes, IPv4 is ::ffff:a.b.c.d. Addresses and ports are in network byte order, all else in the host's.
 */
#ifndef MILLRACE_ACCELERATION_H
#define MILLRACE_ACCELERATION_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "layout.h"

#define SIDE_MEMBER 0
#define SIDE_PROXY 1

/* Value of `namespaces`, key: netns cookie. What is not in it is left alone. */
struct accelerated_namespace {
	__u32 side;    /* SIDE_* */
	__u32 ifindex; /* host end of its veth */
};

/*
 * Which end of which connection. The first sequence numbers of both directions make two sockets ends of one connection,
 * whatever other sockets in whatever namespace have the same addresses and ports; the cookie alone would not, as there are
 * several proxies, and a dead one's socket may still be there.
 */
struct leg {
	__u64 member; /* netns cookie */
	struct address member_address;
	struct address peer_address; /* what the proxy's end has as its own */
	__be16 member_port;
	__be16 peer_port;
	__u32 member_sequence; /* first byte that the member sends */
	__u32 proxy_sequence;
	__u32 side; /* SIDE_* */
};

enum sends {
	SENDS_NOTHING_YET = 0,
	SENDS_REDIRECTED = 1,
	SENDS_BY_TCP = 2, /* for ever */
};

struct leg_state {
	struct leg other;
	__u32 sends; /* enum sends */
	__u32 reserved;
};

enum acceleration_count {
	COUNT_OPENED = 0,     /* a leg is known */
	COUNT_NOT_OPENED = 1, /* the kernel refused the socket */
	COUNT_REDIRECTED = 2, /* messages */
	COUNT_REDIRECTED_BYTES = 3,
	COUNT_TCP_ALONE =
		4, /* at the first byte the other end was not there, or the workload not accelerated any more */
	COUNT_TCP_ENDED = 5,   /* the other end has closed */
	COUNT_TCP_BEFORE = 6,  /* bytes went by TCP that no program was asked about */
	COUNT_REFUSED_ULP = 7, /* kTLS */
	COUNT_COUNT = 8,
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct accelerated_namespace);
} namespaces SEC(".maps");

/* Address of an accelerated member -> its netns cookie: the proxy's end has it as the remote address, whoever began. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct address);
	__type(value, __u64);
} accelerated SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 262144);
	__type(key, struct leg);
	__type(value, __u64);
} legs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct leg_state);
} leg_states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(enum acceleration_count what, __u64 by)
{
	__u32 index = what;
	__u64 *counter = bpf_map_lookup_elem(&counters, &index);

	if (counter)
		*counter += by;
}

#endif
