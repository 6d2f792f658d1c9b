/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Maps of the programs in the node's network namespace. */
#ifndef MILLRACE_NODE_MAPS_H
#define MILLRACE_NODE_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "layout.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_PROXIES);
	__type(key, __u32);
	__type(value, struct proxy);
} proxies SEC(".maps");

/* By ifindex of the member's host veth. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct workload);
} workloads SEC(".maps");

/* By address of the member. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct address);
	__type(value, struct member);
} members SEC(".maps");

/*
 * Connections that a proxy opened to a member through the host's stack, as app_outbound sees the member's answers. The
 * host may have rewritten their addresses (a Service's VIP), so it has to see the answers as well. Value: enum via_host.
 */
enum via_host {
	VIA_HOST = 1,
	/*
	 * Only the SYN took that way, with SETTING_ROUTED, so that the host's filters could drop it. It speaks for a
	 * client that is not on this node: answers that the host routed would leave the node, to a client that knows
	 * nothing of them. The host's conntrack sees none of the rest, so it calls nothing invalid.
	 */
	VIA_HOST_SYN = 2,
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow);
	__type(value, __u32);
} via_host SEC(".maps");

/* Whether a connection's packets take their way through the host's stack, all of them. */
static __always_inline bool goes_via_host(const struct flow *answer)
{
	__u32 *value = bpf_map_lookup_elem(&via_host, answer);

	return value && *value == VIA_HOST;
}

/*
 * Connections whose SYN went to a proxy, or came from one, while their member still had some from before its enrolment.
 * A proxy that answers with a SYN cookie keeps nothing (net/ipv4/syncookies.c), nor does one that has closed, so what
 * follows would pass for such an older one. And those that began here while another redirection had the member as well.
 * Value: in which enrolment of the member, see enrolment_of(); a later one may find the same ports in use without a proxy.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow);
	__type(value, __u32);
} begun SEC(".maps");

/*
 * Connections whose SYN came to a member through the host's stack and went to a proxy, as the proxy's answers show them.
 * The client may be a member of this node by now: its answers still go through the host, which may have rewritten the
 * member's address (a Service's VIP). Value: always 1.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow);
	__type(value, __u32);
} by_host SEC(".maps");

/*
 * Connections from before their member's enrolment that still pass, as packets to the member show them. A proxy that
 * speaks for the member must not choose such a one's source port. Value: until when they pass, as in struct workload, but
 * for the last two of its nanoseconds' bits: which of its ends has sent a FIN.
 */
#define ADOPTED_MEMBER_ENDED 1ull
#define ADOPTED_PEER_ENDED 2ull
#define ADOPTED_ENDED 3ull
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow);
	__type(value, __u64);
} adopted SEC(".maps");

/* What is not captured, by workload. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct excluded_port);
	__type(value, __u32);
} excluded_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct excluded_network);
	__type(value, __u32);
} excluded_networks SEC(".maps");

/*
 * Connections that began while an exclusion named them, as packets to the member show them. Decided on by their SYN:
 * what a proxy has stays with it when an exclusion comes, and these go on when theirs is taken away.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow);
	__type(value, struct excluded_state);
} excluded SEC(".maps");

#endif
