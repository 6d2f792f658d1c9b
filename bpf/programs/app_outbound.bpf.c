/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ingress of a member's host veth: what leaves the member. Its TCP goes to the node proxy. */

#include "dns.h"
#include "exclusion.h"
#include "fallback.h"
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

/* For a frame of a member that is not TCP. */
static __always_inline int pass_or_ask(struct __sk_buff *skb, const struct packet *packet)
{
	const enum program self = PROGRAM_APP_OUTBOUND;
	__u32 ifindex = skb->ifindex;
	struct workload *workload = bpf_map_lookup_elem(&workloads, &ifindex);
	struct settings settings;
	struct proxy *active;

	if (!captures_dns(workload) || is_in_vlan(skb) || !is_question(skb, packet))
		return pass(self, VERDICT_PASSED);
	if (address_flags(&packet->flow.destination) & ADDRESS_PROXY)
		return pass(self, VERDICT_BYPASSED);
	settings = read_settings();
	active = active_proxy(&settings);
	if (is_passing(skb, packet, FRAME_OTHER, workload, active))
		return pass(self, VERDICT_PASSED);
	if (!active)
		return without_proxy(skb, self, &settings);
	if (!(active->flags & PROXY_DNS))
		return without_dns(skb, &settings);
	/* The rest of it could not be told from any other UDP. */
	if (packet->is_fragment)
		return drop(skb, self, VERDICT_DROPPED_UNPARSABLE);
	return send_dns(skb, active);
}

/* Whether another redirection has this connection, and its packets take their way through the host's stack, both ways. */
static __always_inline bool is_sent_by_other(const struct packet *packet, const struct workload *workload)
{
	struct flow answer;

	if (is_of_other(is_syn(packet), &packet->flow, workload))
		return true;
	if (is_syn(packet) || !is_released_to_other(workload))
		return false;
	reverse(&answer, &packet->flow);
	return bpf_map_lookup_elem(&by_host, &answer);
}

TC_PROGRAM int app_outbound(struct __sk_buff *skb)
{
	const enum program self = PROGRAM_APP_OUTBOUND;
	struct packet *packet = packet_memory(PACKET_AT_HAND);
	struct settings settings;
	struct workload *workload;
	struct proxy *active, *owner;
	struct flow answer;
	__u32 destination, ifindex = skb->ifindex;
	enum frame frame;

	if (!packet)
		return drop(skb, self, VERDICT_DROPPED_ERROR);
	frame = by_way_of(packet, parse_member_frame(skb, packet));
	if (frame == FRAME_OTHER)
		return pass_or_ask(skb, packet);
	if (frame == FRAME_UNPARSABLE)
		return drop(skb, self, VERDICT_DROPPED_UNPARSABLE);

	/* A proxy's own ports answer as those of any pod. */
	destination = address_flags(&packet->flow.destination);
	if (destination & ADDRESS_PROXY)
		return pass(self, VERDICT_BYPASSED);

	settings = read_settings();
	active = active_proxy(&settings);
	workload = bpf_map_lookup_elem(&workloads, &ifindex);

	if (frame == FRAME_TCP) {
		/* The answer to what a proxy sent through the host, which may have to undo an address translation. */
		if (!is_syn(packet) && workload && workload->via_host && goes_via_host(&packet->flow))
			return pass(self, VERDICT_PASSED);
		if (is_sent_by_other(packet, workload))
			return pass(self, VERDICT_PASSED);

		/* A SYN to the node is a new connection of the member, captured like any other. */
		packet->is_of_node = (destination & ADDRESS_NODE) && !is_syn(packet) &&
				     owner_in(skb, &packet->flow, packet->is_ipv6, OWN_NETNS) != OWNS_NOTHING;
		packet->is_maybe_older = is_maybe_older(packet, workload);
		owner = draining_owner(skb, packet, &settings, active);
		if (owner)
			return send_outbound(skb, owner, VERDICT_DRAINED);

		if (is_excluded(skb, packet, workload, ifindex, EXCLUDED_OUTBOUND, active))
			return pass(self, VERDICT_EXCLUDED);

		/* The answer to a probe: a socket of the node has the connection and the proxy has not. */
		if (packet->is_of_node &&
		    !(active && takes(proxy_owns(skb, &packet->flow, packet->is_ipv6, active), packet)))
			return pass(self, VERDICT_BYPASSED);
	}

	if (is_passing(skb, packet, frame, workload, active))
		return pass(self, VERDICT_PASSED);
	if (!active)
		return without_proxy(skb, self, &settings);
	if (frame == FRAME_TCP && is_adopted(skb, packet, workload, active)) {
		reverse(&answer, &packet->flow);
		remember_adopted(&answer, workload, packet, ADOPTED_MEMBER_ENDED);
		return pass(self, VERDICT_ADOPTED);
	}
	if (frame == FRAME_TCP && is_syn(packet)) {
		/* An earlier connection of the same ports may have come by the host; this one's answers must not. */
		reverse(&answer, &packet->flow);
		bpf_map_delete_elem(&by_host, &answer);
		/* Nor may this one go on by the host, as an earlier one of these ports that the node translated. */
		if (workload && workload->via_host)
			bpf_map_delete_elem(&via_host, &packet->flow);
		if (is_noting(workload))
			remember_begun(&packet->flow, workload);
	}
	/* A connection that the proxy took as any other, before the member's DNS was captured, stays one. */
	if (frame == FRAME_TCP && captures_dns(workload) && packet->flow.destination_port == bpf_htons(PORT_DNS) &&
	    !takes(proxy_owns(skb, &packet->flow, packet->is_ipv6, active), packet)) {
		if (!(active->flags & PROXY_DNS))
			return without_dns(skb, &settings);
		if (is_syn(packet))
			tell_begun(skb, self, VERDICT_CAPTURED_DNS);
		return send_dns(skb, active);
	}
	if (frame == FRAME_TCP && is_syn(packet))
		tell_begun(skb, self, VERDICT_CAPTURED);
	return send_outbound(skb, active, VERDICT_CAPTURED);
}
