/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who has a connection, asked of the kernel's socket tables, so that no table of ours can go stale.
 *
 * A lookup that finds no connection goes on to listeners; it may come back with one, which owns nothing.
 */
#ifndef MILLRACE_SOCKET_TABLE_H
#define MILLRACE_SOCKET_TABLE_H

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "layout.h"
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

#endif
