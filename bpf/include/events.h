/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tells what becomes of packets, one by one, while somebody asks for it (millrace events). Only where a packet ends or a
 * connection begins: an ordinary packet of a connection comes to none of this.
 */
#ifndef MILLRACE_EVENTS_H
#define MILLRACE_EVENTS_H

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "flow.h"
#include "layout.h"
#include "packet-memory.h"
#include "shared-maps.h"

/* `ifindex`: of a member's host veth, where the frame could not be followed to its addresses; or 0. */
static __always_inline bool is_asked_for(const struct flow *flow, __u32 ifindex)
{
	struct address interface = {};

	if (bpf_map_lookup_elem(&events_of, &flow->source) || bpf_map_lookup_elem(&events_of, &flow->destination))
		return true;
	words(&interface)[3] = ifindex;
	return ifindex && bpf_map_lookup_elem(&events_of, &interface);
}

static __always_inline bool is_wanted(__u32 kind, const struct flow *flow, __u32 ifindex)
{
	__u32 key = 0;
	struct events_wanted *wanted = bpf_map_lookup_elem(&events_wanted, &key);

	if (!wanted || !(wanted->kinds & kind) || bpf_ktime_get_ns() >= wanted->until_ns)
		return false;
	return !(wanted->kinds & EVENTS_OF_SOME) || is_asked_for(flow, ifindex);
}

/* Does not wait for its reader: what finds no room is counted. A function of its own: its types are what BTF knows of events. */
static __noinline int emit(const struct event *told)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	__u32 key = 0;
	__u64 *lost;

	if (event) {
		*event = *told;
		bpf_ringbuf_submit(event, 0);
		return 0;
	}
	lost = bpf_map_lookup_elem(&events_lost, &key);
	if (lost)
		(*lost)++;
	return 0;
}

static __always_inline void copy_ends(struct event *told, const struct flow *flow)
{
	told->source = flow->source;
	told->destination = flow->destination;
	told->source_port = flow->source_port;
	told->destination_port = flow->destination_port;
}

#ifdef MILLRACE_SHADOW /* it has nothing to tell: the packets go on */
#define tell(skb, program, verdict) ((void)(skb))
#define tell_begun(skb, program, verdict) ((void)(skb))
#else
/* Functions of their own, so that the programs stay short. Of the packet they tell what packet_memory() has. */
static __noinline int tell_as(struct __sk_buff *skb, __u32 kind, __u32 program, __u32 verdict)
{
	bool is_at_member = program == PROGRAM_APP_OUTBOUND || program == PROGRAM_APP_INBOUND;
	__u32 which = PACKET_AT_HAND;
	struct packet *packet = bpf_map_lookup_elem(&packets, &which);
	struct event told = {};

	if (!packet || !is_wanted(kind, &packet->flow, is_at_member && !packet->end ? skb->ifindex : 0))
		return 0;
	told.at_ns = bpf_ktime_get_ns();
	copy_ends(&told, &packet->flow);
	told.ifindex = skb->ifindex;
	told.bytes = packet->end;
	told.program = program;
	told.verdict = verdict;
	told.tcp_flags = packet->flags;
	emit(&told);
	return 0;
}

static __always_inline void tell(struct __sk_buff *skb, enum program program, enum verdict verdict)
{
	tell_as(skb, EVENTS_STOPPED, program, verdict);
}

static __always_inline void tell_begun(struct __sk_buff *skb, enum program program, enum verdict verdict)
{
	tell_as(skb, EVENTS_BEGUN, program, verdict);
}
#endif

/* For a lookup, which has no packet. */
static __always_inline void tell_lookup(const struct flow *flow, enum verdict verdict)
{
	struct event told = {};

	if (!is_wanted(EVENTS_STOPPED, flow, 0))
		return;
	told.at_ns = bpf_ktime_get_ns();
	copy_ends(&told, flow);
	told.program = PROGRAM_ZTUNNEL_LOOKUP;
	told.verdict = verdict;
	emit(&told);
}

#endif
