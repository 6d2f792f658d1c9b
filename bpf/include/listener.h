/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The proxy's listening sockets. */
#ifndef MILLRACE_LISTENER_H
#define MILLRACE_LISTENER_H

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"
#include "proxy-maps.h"
#include "question.h"

/* Whether `listeners` has the socket. Its family is that of the packets it takes: a dual-stack one serves both. */
static __always_inline bool has_listener(__u32 direction, bool is_ipv6)
{
	__u32 index = LISTENER_INDEX(direction, is_ipv6);
	struct bpf_sock *sk = bpf_map_lookup_elem(&listeners, &index);
	bool is_listening;

	if (!sk)
		return false;
	is_listening = sk->state == BPF_TCP_LISTEN;
	bpf_sk_release(sk);
	return is_listening;
}

/* Finds the socket that listens on any address of the direction's port, and keeps it. */
static __always_inline bool learn_listener(struct __sk_buff *skb, __u32 direction, bool is_ipv6)
{
	__u32 index = LISTENER_INDEX(direction, is_ipv6), size = sizeof(((struct bpf_sock_tuple *)0)->ipv4);
	__u16 port = PORT_INBOUND;
	volatile struct question *question = this_cpu_question();
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	bool is_learnt;

	if (!question)
		return false;
	if (direction == DIRECTION_OUTBOUND)
		port = PORT_OUTBOUND;
	else if (direction == DIRECTION_HBONE)
		port = PORT_HBONE;
	if (is_ipv6) {
		tuple.ipv6.dport = bpf_htons(port);
		size = sizeof(tuple.ipv6);
	} else {
		tuple.ipv4.dport = bpf_htons(port);
	}
	question->is_open = 1;
	sk = bpf_sk_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	question->is_open = 0;
	if (!sk)
		return false;
	is_learnt = sk->state == BPF_TCP_LISTEN && bpf_map_update_elem(&listeners, &index, sk, BPF_ANY) == 0;
	bpf_sk_release(sk);
	return is_learnt;
}

#endif
