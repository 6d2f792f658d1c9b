/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What becomes of a member's TCP without a proxy, around the member's enrolment, and from before it. */
#ifndef MILLRACE_FALLBACK_H
#define MILLRACE_FALLBACK_H

#include "layout.h"
#include "node-maps.h"
#include "owner.h"
#include "parse.h"
#include "verdict.h"

static __always_inline int without_proxy(struct __sk_buff *skb, enum program program, const struct settings *settings)
{
	if (settings->flags & SETTING_FAIL_OPEN)
		return pass(program, VERDICT_OPEN);
	return drop(skb, program, VERDICT_DROPPED_NO_PROXY);
}

/* Whether the member is about to be enrolled or unenrolled, and no proxy has this connection: see WORKLOAD_PASSING. */
static __always_inline bool is_passing(struct __sk_buff *skb, const struct packet *packet, enum frame frame,
				       const struct workload *workload, const struct proxy *active)
{
	if (!workload || !(workload->flags & WORKLOAD_PASSING))
		return false;
	if (frame != FRAME_TCP || !active)
		return true;
	return !takes(proxy_owns(skb, &packet->flow, packet->is_ipv6, active), packet);
}

/* Until when connections of this member from before its enrolment pass is not over yet. */
static __always_inline bool is_adopting(const struct workload *workload)
{
	return workload && workload->adopt_until_ns && bpf_ktime_get_ns() < workload->adopt_until_ns;
}

/* Tells a member's enrolments apart: the nanoseconds of two are not the same. */
static __always_inline __u32 enrolment_of(const struct workload *workload)
{
	return workload->adopt_until_ns;
}

/* Whether a connection is noted as begun in this enrolment. */
static __always_inline bool is_noted(const struct flow *flow, const struct workload *workload)
{
	__u32 *enrolment = bpf_map_lookup_elem(&begun, flow);

	return enrolment && *enrolment == enrolment_of(workload);
}

/* Whether the packet may be of a connection that began without a proxy: before this enrolment, or around it. */
static __always_inline bool is_maybe_older(const struct packet *packet, const struct workload *workload)
{
	if (!workload)
		return false;
	if (workload->flags & WORKLOAD_PASSING)
		return true;
	if (!is_adopting(workload) || is_syn(packet))
		return false;
	return !is_noted(&packet->flow, workload);
}

/* Whether a connection that begins now is to be told from what another redirection has of this member. */
static __always_inline bool is_noting(const struct workload *workload)
{
	return workload && (workload->flags & (WORKLOAD_JOINING | WORKLOAD_LEAVING)) &&
	       !(workload->flags & WORKLOAD_PASSING);
}

/* Whether a member's packet, `flow` as its packets show it, is of a connection that another redirection has while we join it. */
static __always_inline bool is_of_other(bool is_first, const struct flow *flow, const struct workload *workload)
{
	if (!workload || !(workload->flags & WORKLOAD_JOINING))
		return false;
	return is_first ? workload->flags & WORKLOAD_PASSING : !is_noted(flow, workload);
}

/* Whether what the member begins is another redirection's from now on. */
static __always_inline bool is_released_to_other(const struct workload *workload)
{
	return workload && (workload->flags & WORKLOAD_LEAVING) && (workload->flags & WORKLOAD_PASSING);
}

/* What follows on this flow is not from before the enrolment. Without the entry the connection may still work: only a cookie's would not. */
static __always_inline void remember_begun(const struct flow *flow, const struct workload *workload)
{
	__u32 enrolment;

	if (!is_adopting(workload) && !is_noting(workload))
		return;
	enrolment = enrolment_of(workload);
	bpf_map_update_elem(&begun, flow, &enrolment, BPF_ANY);
}

/*
 * For a SYN of a proxy: the other end's packets are not from before the enrolment, though the proxy may have no socket by
 * the last of them. They are seen at the member that is called, or at the one that the proxy speaks for.
 */
static __always_inline void remember_begun_by_proxy(const struct packet *packet)
{
	struct member *member = bpf_map_lookup_elem(&members, &packet->flow.destination);
	struct flow answer;

	if (!member)
		member = bpf_map_lookup_elem(&members, &packet->flow.source);
	if (!member)
		return;
	reverse(&answer, &packet->flow);
	remember_begun(&answer, bpf_map_lookup_elem(&workloads, &member->ifindex));
}

/*
 * Connections from before the enrolment pass for a bounded time. A SYN never does, so this opens no way past the proxy;
 * afterwards they go to the proxy like any other, whose stack resets them.
 */
static __always_inline bool is_adopted(struct __sk_buff *skb, const struct packet *packet,
				       const struct workload *workload, const struct proxy *active)
{
	if (!is_adopting(workload))
		return false;
	if (is_syn(packet)) {
		remember_begun(&packet->flow, workload);
		return false;
	}
	return packet->is_maybe_older && !takes(proxy_owns(skb, &packet->flow, packet->is_ipv6, active), packet);
}

/*
 * Keeps the proxy from a connection that is_adopted(), until the packets of both ends have said that it is over.
 * `inbound` is as packets to the member show it.
 */
static __always_inline void remember_adopted(const struct flow *inbound, const struct workload *workload,
					     const struct packet *packet, __u64 ended)
{
	__u64 *known = bpf_map_lookup_elem(&adopted, inbound);
	__u64 until;

	if (!workload)
		return;
	until = workload->adopt_until_ns & ~ADOPTED_ENDED;
	if (packet->flags & TCP_RST)
		ended = ADOPTED_ENDED;
	else if (!(packet->flags & TCP_FIN))
		ended = 0;
	/* That of an earlier enrolment is another connection's, of the same ports. */
	if (known && (*known & ~ADOPTED_ENDED) == until) {
		*known |= ended;
		return;
	}
	until |= ended;
	bpf_map_update_elem(&adopted, inbound, &until, BPF_ANY);
}

#endif
