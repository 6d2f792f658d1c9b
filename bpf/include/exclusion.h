/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that are not captured because their workload's owner said so. The SYN decides; `excluded` keeps what it
 * decided for the packets after it, both ways, so that no packet in the middle of a connection can change its way.
 */
#ifndef MILLRACE_EXCLUSION_H
#define MILLRACE_EXCLUSION_H

#include <stdbool.h>

#include "flow.h"
#include "layout.h"
#include "node-maps.h"
#include "owner.h"
#include "parse.h"

#define EXCLUDED_NETWORK_BITS ((sizeof(struct excluded_network) - sizeof(__u32)) * 8)

/* Whether an exclusion names the connection that this SYN begins. */
static __always_inline bool is_named(const struct packet *packet, __u32 ifindex, enum excluded_way way)
{
	struct excluded_port port = {
		.ifindex = ifindex,
		.port = packet->flow.destination_port,
		.way = way,
	};
	struct excluded_network network = {
		.prefix_bits = EXCLUDED_NETWORK_BITS,
		.ifindex = ifindex,
		.way = way,
	};

	if (bpf_map_lookup_elem(&excluded_ports, &port))
		return true;
	network.address = way == EXCLUDED_OUTBOUND ? packet->flow.destination : packet->flow.source;
	return bpf_map_lookup_elem(&excluded_networks, &network) != NULL;
}

static __always_inline void note_end(struct excluded_state *state, const struct packet *packet, bool is_from_member)
{
	if (packet->flags & TCP_RST)
		state->is_reset = 1;
	if (!(packet->flags & TCP_FIN))
		return;
	if (is_from_member)
		state->member_ended = 1;
	else
		state->peer_ended = 1;
}

/*
 * Whether a TCP packet from (EXCLUDED_OUTBOUND) or to the member (EXCLUDED_INBOUND) passes uncaptured. Costs a load for
 * workloads without exclusions. A SYN that is sent again for what the active proxy has stays with the proxy.
 */
static __always_inline bool is_excluded(struct __sk_buff *skb, const struct packet *packet,
					const struct workload *workload, __u32 ifindex, enum excluded_way way,
					const struct proxy *active)
{
	struct excluded_state *state, fresh = {};
	struct flow inbound;

	if (!workload || !(workload->flags & WORKLOAD_EXCLUDES))
		return false;
	if (way == EXCLUDED_OUTBOUND)
		reverse(&inbound, &packet->flow);
	else
		inbound = packet->flow;
	if (is_syn(packet)) {
		if (is_named(packet, ifindex, way) &&
		    !(active && proxy_owns(skb, &packet->flow, packet->is_ipv6, active) == OWNS_LIVE))
			return bpf_map_update_elem(&excluded, &inbound, &fresh, BPF_ANY) == 0;
		/* An earlier connection of the same ports may have been excluded; this one is not. */
		bpf_map_delete_elem(&excluded, &inbound);
		return false;
	}
	state = bpf_map_lookup_elem(&excluded, &inbound);
	if (!state)
		return false;
	note_end(state, packet, way == EXCLUDED_OUTBOUND);
	return true;
}

/*
 * For a SYN of a proxy: whether its member and the other end have a connection of these addresses and ports past the
 * proxy. `inbound` is as packets to the member show it. What is over makes room.
 */
static __always_inline bool has_excluded(const struct flow *inbound)
{
	struct excluded_state *state = bpf_map_lookup_elem(&excluded, inbound);

	if (!state)
		return false;
	if (!state->is_reset && !(state->member_ended && state->peer_ended))
		return true;
	bpf_map_delete_elem(&excluded, inbound);
	return false;
}

#endif
