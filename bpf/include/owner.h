/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose connection a packet belongs to, asked of the kernel's socket tables, so that no table of ours can go stale.
 *
 * A lookup that finds no connection goes on to listeners; it may come back with one, which owns nothing.
 */
#ifndef MILLRACE_OWNER_H
#define MILLRACE_OWNER_H

#include "flow.h"
#include "layout.h"
#include "parse.h"
#include "proxies.h"
#include "question.h"

enum ownership {
	OWNS_NOTHING,
	OWNS_TIME_WAIT, /* closed here; answers stray packets, and gives way to a connection that has its ports now */
	OWNS_LIVE,	/* from the first SYN on */
};

#define OWN_NETNS ((__u32)BPF_F_CURRENT_NETNS)

/* `flow` as a packet arriving at that namespace shows it. */
static __always_inline enum ownership owner_in(struct __sk_buff *skb, const struct flow *flow, bool is_ipv6,
					       __u32 netnsid)
{
	volatile struct question *question = this_cpu_question();
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	__u32 size, state;

	if (!question)
		return OWNS_NOTHING;
	if (is_ipv6) {
		__builtin_memcpy(tuple.ipv6.saddr, &flow->source, sizeof(tuple.ipv6.saddr));
		__builtin_memcpy(tuple.ipv6.daddr, &flow->destination, sizeof(tuple.ipv6.daddr));
		tuple.ipv6.sport = flow->source_port;
		tuple.ipv6.dport = flow->destination_port;
		size = sizeof(tuple.ipv6);
	} else {
		__builtin_memcpy(&tuple.ipv4.saddr, flow->source.bytes + 12, sizeof(tuple.ipv4.saddr));
		__builtin_memcpy(&tuple.ipv4.daddr, flow->destination.bytes + 12, sizeof(tuple.ipv4.daddr));
		tuple.ipv4.sport = flow->source_port;
		tuple.ipv4.dport = flow->destination_port;
		size = sizeof(tuple.ipv4);
	}
	/* An id of -1 is the namespace of the device at hand; ids are signed 32 bit numbers in a 64 bit argument. */
	question->is_open = 1;
	sk = bpf_skc_lookup_tcp(skb, &tuple, size, (__s64)(__s32)netnsid, 0);
	question->is_open = 0;
	/* Answered by way of the map, so that the verifier follows one path from here and not one per answer. */
	question->answer = OWNS_NOTHING;
	if (sk) {
		state = sk->state;
		bpf_sk_release(sk);
		if (state == BPF_TCP_TIME_WAIT)
			question->answer = OWNS_TIME_WAIT;
		else if (state != BPF_TCP_LISTEN)
			question->answer = OWNS_LIVE;
	}
	return question->answer;
}

/*
 * Whether what was found takes this packet: a SYN opens a new connection, whatever is in TIME_WAIT. Nor does TIME_WAIT get
 * what may be of a connection that never was the proxy's and has the same ports: a probe of the node, or one from before
 * the member's enrolment, which need not be its first. If it was a stray packet after all, it is answered by RST.
 */
static __always_inline bool takes(enum ownership ownership, const struct packet *packet)
{
	if (ownership == OWNS_TIME_WAIT)
		return !(packet->flags & TCP_SYN) && !packet->is_of_node && !packet->is_maybe_older;
	return ownership == OWNS_LIVE;
}

static __always_inline enum ownership proxy_owns(struct __sk_buff *skb, const struct flow *flow, bool is_ipv6,
						 const struct proxy *proxy)
{
	return owner_in(skb, flow, is_ipv6, proxy->netnsid);
}

/*
 * The draining proxy that takes the packet, NULL if none does. Both proxies may know the same tuple, one of them in
 * TIME_WAIT: the live one has it. Costs nothing while no proxy drains.
 */
static __always_inline struct proxy *draining_owner(struct __sk_buff *skb, struct packet *packet,
						    const struct settings *settings, const struct proxy *active)
{
	if (!settings->draining)
		return NULL;
	for (__u32 slot = 0; slot < MAX_PROXIES; slot++) {
		struct proxy *proxy;
		enum ownership ownership;

		if (!is_draining(settings, slot))
			continue;
		proxy = proxy_in(slot);
		if (!proxy)
			continue;
		ownership = proxy_owns(skb, &packet->flow, packet->is_ipv6, proxy);
		if (ownership == OWNS_LIVE)
			return proxy;
		if (takes(ownership, packet))
			packet->waiting_proxy = slot + 1;
	}
	if (!packet->waiting_proxy)
		return NULL;
	if (active && proxy_owns(skb, &packet->flow, packet->is_ipv6, active) == OWNS_LIVE)
		return NULL;
	return proxy_in(packet->waiting_proxy - 1);
}

#endif
