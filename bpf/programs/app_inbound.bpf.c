/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Egress of a member's host veth: what the host delivers to the member. TCP goes to the node proxy first. */

#include "exclusion.h"
#include "fallback.h"
#include "icmp-error.h"
#include "layout.h"
#include "member-frame.h"
#include "node-maps.h"
#include "owner.h"
#include "packet-memory.h"
#include "proxies.h"
#include "redirect.h"
#include "shared-maps.h"
#include "tc-program.h"
#include "verdict.h"

/* Lets app_outbound find the member's answers to what a proxy sent through the host. */
static __always_inline void remember_via_host(const struct packet *packet, enum frame frame, struct workload *workload)
{
	struct flow answer;
	__u32 way = VIA_HOST, *known;

	if (workload && !workload->via_host)
		workload->via_host = 1;
	if (frame != FRAME_TCP)
		return;
	reverse(&answer, &packet->flow);
	known = bpf_map_lookup_elem(&via_host, &answer); /* keeps the entry young */
	/*
	 * Only what a proxy begins: its answers to the member's own connections come this way too if `members` lacks it.
	 * What ztunnel_host_in noted of this SYN holds; had the host rewritten it, the note would be another flow's.
	 */
	if (is_syn(packet) && !(known && *known == VIA_HOST_SYN))
		bpf_map_update_elem(&via_host, &answer, &way, BPF_ANY);
}

/* Lets ztunnel_host_in send the answers of a connection that begins here back through the host. */
static __always_inline void remember_by_host(const struct packet *packet)
{
	struct flow answer;
	__u32 one = 1;

	reverse(&answer, &packet->flow);
	bpf_map_update_elem(&by_host, &answer, &one, BPF_ANY);
}

/*
 * Whether a socket of the node sent the packet: a forwarded one has none (net/ipv4/ip_forward.c would drop it). On
 * older kernels IPv6 answers for a socket in TIME_WAIT without one, too (net/ipv6/tcp_ipv6.c, tcp_v6_send_response()),
 * so the socket table is asked as well; not for a SYN, which could be forwarded, from a port that the node used before.
 */
static __always_inline bool is_sent_by_node(struct __sk_buff *skb, const struct packet *packet, enum frame frame)
{
	struct flow answer;

	if (skb->sk)
		return true;
	if (frame != FRAME_TCP || is_syn(packet))
		return false;
	reverse(&answer, &packet->flow);
	return owner_in(skb, &answer, packet->is_ipv6, OWN_NETNS) != OWNS_NOTHING;
}

TC_PROGRAM int app_inbound(struct __sk_buff *skb)
{
	const enum program self = PROGRAM_APP_INBOUND;
	struct packet *packet = packet_memory(PACKET_AT_HAND);
	struct settings settings;
	struct workload *workload;
	struct proxy *active, *owner;
	__u32 source, ifindex = skb->ifindex;
	enum frame frame;

	if (!packet)
		return drop(skb, self, VERDICT_DROPPED_ERROR);
	frame = by_way_of(packet, parse_member_frame(skb, packet));
	if (frame == FRAME_OTHER)
		return pass_icmp_error(skb, packet);
	if (frame == FRAME_UNPARSABLE)
		return drop(skb, self, VERDICT_DROPPED_UNPARSABLE);

	settings = read_settings();
	active = active_proxy(&settings);
	workload = bpf_map_lookup_elem(&workloads, &ifindex);
	if (is_proxy_interface(&settings, skb->ingress_ifindex)) {
		remember_via_host(packet, frame, workload);
		return pass(self, VERDICT_DELIVERED);
	}

	source = address_flags(&packet->flow.source);
	if (source & ADDRESS_PROXY)
		return pass(self, VERDICT_BYPASSED);

	/* What the node masquerades is not from it. */
	packet->is_of_node = (source & ADDRESS_NODE) && is_sent_by_node(skb, packet, frame);
	if (frame == FRAME_TCP) {
		packet->is_maybe_older = is_maybe_older(packet, workload);
		owner = draining_owner(skb, packet, &settings, active);
		if (owner)
			return send_inbound(skb, owner, VERDICT_DRAINED);
		if (is_excluded(skb, packet, workload, ifindex, EXCLUDED_INBOUND, active))
			return pass(self, VERDICT_EXCLUDED);
	}

	/* A probe, unless it answers a connection of the proxy. */
	if (packet->is_of_node &&
	    !(frame == FRAME_TCP && active && takes(proxy_owns(skb, &packet->flow, packet->is_ipv6, active), packet)))
		return pass(self, VERDICT_BYPASSED);

	if (is_passing(skb, packet, frame, workload, active))
		return pass(self, VERDICT_PASSED);
	if (!active)
		return without_proxy(skb, self, &settings);
	if (frame == FRAME_TCP && is_adopted(skb, packet, workload, active)) {
		remember_adopted(&packet->flow, workload, packet, ADOPTED_PEER_ENDED);
		return pass(self, VERDICT_ADOPTED);
	}
	if (frame == FRAME_TCP && is_syn(packet)) {
		remember_by_host(packet);
		tell_begun(skb, self, VERDICT_CAPTURED);
	}
	return send_inbound(skb, active, VERDICT_CAPTURED);
}
