/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ingress of eth0 in a proxy's network namespace: prepares ztunnel_lookup's choice for each redirected SYN, and answers what
 * nobody there would.
 *
 * A redirected frame is known by its source MAC. Only the node's programs put frames with these MACs on a veth that the
 * host routes to. On a bridge, a neighbour of the proxy could forge one; it gains a direction, not an identity: the
 * proxy decides by the source address, and answers go there.
 */

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"
#include "listener.h"
#include "packet-memory.h"
#include "parse.h"
#include "proxy-maps.h"
#include "refuse.h"
#include "unanswered.h"
#include "verdict.h"

static __always_inline bool is_same(const __u8 *a, const __u8 *b)
{
	for (int i = 0; i < ETH_ALEN; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/* DIRECTION_COUNT: not redirected. */
static __always_inline enum direction redirected_from(struct __sk_buff *skb)
{
	const __u8 outbound[ETH_ALEN] = DIRECTION_MAC_OUTBOUND, inbound[ETH_ALEN] = DIRECTION_MAC_INBOUND;
	const __u8 dns[ETH_ALEN] = DIRECTION_MAC_DNS;
	const struct cursor cursor = { .skb = skb, .offset = offsetof(struct ethhdr, h_source), .end = skb->len };
	__u8 source[ETH_ALEN];

	if (!peek(&cursor, source, sizeof(source)))
		return DIRECTION_COUNT;
	if (is_same(source, outbound))
		return DIRECTION_OUTBOUND;
	if (is_same(source, inbound))
		return DIRECTION_INBOUND;
	if (is_same(source, dns))
		return DIRECTION_DNS;
	return DIRECTION_COUNT;
}

SEC("tc")
int ztunnel_tproxy(struct __sk_buff *skb)
{
	const enum program self = PROGRAM_ZTUNNEL_TPROXY;
	struct packet *packet = packet_memory(PACKET_AT_HAND);
	__u32 direction = redirected_from(skb);

	if (direction == DIRECTION_COUNT)
		return pass(self, VERDICT_PASSED);
	if (!packet)
		return drop(skb, self, VERDICT_DROPPED_ERROR);
	if (by_way_of(packet, parse(skb, packet)) != FRAME_TCP)
		return pass(self, VERDICT_PASSED);
	if (!is_syn(packet)) {
		/* Connections of DNS have other addresses and ports here (docs/adr/0013). */
		if (direction != DIRECTION_DNS && is_answerable(packet) && is_unanswered(skb, packet))
			return refuse_redirected(skb, packet, VERDICT_REFUSED_ORPHAN);
		return pass(self, VERDICT_PASSED);
	}
	if (direction == DIRECTION_INBOUND && packet->flow.destination_port == bpf_htons(PORT_HBONE))
		direction = DIRECTION_HBONE;

	/*
	 * Rules of the namespace lead it to the DNS port, an address of its own. Where they are lost, ztunnel_lookup
	 * finds this entry and drops it.
	 */
	if (direction == DIRECTION_DNS) {
		if (bpf_map_update_elem(&flows, &packet->flow, &direction, BPF_ANY))
			return drop(skb, self, VERDICT_DROPPED_ERROR);
		return pass(self, VERDICT_CAPTURED_DNS);
	}

	/* Answered here, since in IPv4 the stack would not: the client is told at once, as by any host without a listener. */
	if (!has_listener(direction, packet->is_ipv6) && !learn_listener(skb, direction, packet->is_ipv6))
		return refuse_redirected(skb, packet, VERDICT_DROPPED_NO_LISTENER);
	/* ztunnel_lookup needs the inbound one to refuse what the proxy does not know, and cannot look for it. */
	if (direction != DIRECTION_INBOUND && !has_listener(DIRECTION_INBOUND, packet->is_ipv6))
		learn_listener(skb, DIRECTION_INBOUND, packet->is_ipv6);
	if (bpf_map_update_elem(&flows, &packet->flow, &direction, BPF_ANY))
		return drop(skb, self, VERDICT_DROPPED_ERROR);
	return pass(self, VERDICT_CAPTURED);
}
