/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Redirected packets of connections that nobody in the proxy's namespace has, nor takes: the proxy is dead, or new and its
 * listener not known yet. The stack answers such a one with RST in IPv6; in IPv4 it stays silent, for it is no source of
 * that address (net/ipv4/ip_output.c, ip_send_unicast_reply()), and the other end would wait for minutes.
 *
 * Only ztunnel_lookup meets them, which cannot answer. It notes that there are such, and they are sent again: ztunnel_tproxy
 * then asks for each packet whose it is, and answers. As long as none was met it reads one word.
 */
#ifndef MILLRACE_UNANSWERED_H
#define MILLRACE_UNANSWERED_H

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "layout.h"
#include "listener.h"
#include "parse.h"
#include "proxy-maps.h"
#include "socket-table.h"

/* Longer than any packet waits until it is sent again (include/net/tcp.h, TCP_RTO_MAX: 120 s). */
#define UNANSWERED_NS (130 * 1000000000ull)

/* For ztunnel_lookup: one was met. */
static __always_inline void note_unanswered(bool is_ipv6)
{
	__u32 index = is_ipv6;
	__u64 *until = bpf_map_lookup_elem(&unanswered, &index);

	if (until)
		*until = bpf_ktime_get_ns() + UNANSWERED_NS;
}

static __always_inline bool expects_unanswered(bool is_ipv6)
{
	__u32 index = is_ipv6;
	__u64 *until = bpf_map_lookup_elem(&unanswered, &index);

	return until && *until && bpf_ktime_get_ns() < *until;
}

/*
 * Whether nobody here would answer this packet, which is no SYN. The listener that ztunnel_lookup would give it to does, and
 * takes what a SYN cookie promised.
 */
static __always_inline bool is_unanswered(struct __sk_buff *skb, const struct packet *packet)
{
	__u32 *noted, direction;

	if (!expects_unanswered(packet->is_ipv6))
		return false;
	if (owner_in(skb, &packet->flow, packet->is_ipv6, OWN_NETNS) != OWNS_NOTHING)
		return false;
	noted = bpf_map_lookup_elem(&flows, &packet->flow);
	direction = noted ? *noted : DIRECTION_INBOUND;
	if (direction >= DIRECTION_COUNT)
		return false;
	return !has_listener(direction, packet->is_ipv6) && !learn_listener(skb, direction, packet->is_ipv6);
}

#endif
