/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the shadow's programs need: the helpers that do something to a packet do nothing, and what they come to is counted
 * by workload. To be included before any header that uses those helpers.
 *
 * The programs decide by the very code that the node's object has, and by maps of their own; what they would do with a
 * packet does not become of it.
 */
#ifndef MILLRACE_SHADOW_H
#define MILLRACE_SHADOW_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "layout.h"

/* All that are called from the programs of a member's host veth; the test of the object looks for any other. */
#define bpf_skb_store_bytes(skb, offset, from, ...) ((void)(skb), (void)(from), 0)
#define bpf_skb_change_type(skb, type) ((void)(skb), 0)
#define bpf_skb_vlan_pop(skb) ((void)(skb), 0)
#define bpf_clone_redirect(skb, ifindex, flags) ((void)(skb), (void)(ifindex))
#define bpf_redirect_peer(ifindex, flags) ((void)(ifindex), TC_ACT_UNSPEC)
#define bpf_redirect(ifindex, flags) ((void)(ifindex), TC_ACT_UNSPEC)

struct shadow_count {
	__u64 connections; /* SYNs that ask for one, those that are sent again included */
	__u64 packets;	   /* as the kernel hands them on: one for what the card or GRO has put together */
};

/* By `enum program`: app_outbound and app_inbound are the first two. */
#define SHADOW_PROGRAMS 2

struct shadow_counts {
	struct shadow_count by[SHADOW_PROGRAMS * VERDICT_COUNT];
};

/* Key: ifindex of the workload's host veth. User space makes the entries; what has none is not counted. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct shadow_counts);
} shadow_counts SEC(".maps");

/* What the program on this CPU has come to. One entry is enough: see packet-memory.h. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} shadow_verdict SEC(".maps");

static __always_inline void note_verdict(enum verdict verdict)
{
	__u32 key = 0, *noted = bpf_map_lookup_elem(&shadow_verdict, &key);

	if (noted)
		*noted = verdict;
}

static __always_inline void count_for_workload(__u32 ifindex, enum program program, bool is_syn)
{
	struct shadow_counts *counts = bpf_map_lookup_elem(&shadow_counts, &ifindex);
	__u32 key = 0, *noted = bpf_map_lookup_elem(&shadow_verdict, &key), verdict;

	if (!counts || !noted)
		return;
	verdict = *noted;
	if (verdict >= VERDICT_COUNT)
		return;
	counts->by[program * VERDICT_COUNT + verdict].packets++;
	if (is_syn)
		counts->by[program * VERDICT_COUNT + verdict].connections++;
}

#endif
