/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ingress of a proxy's host veth: what leaves the proxy. TCP for a member of this node goes straight to it. */

#include "dns.h"
#include "exclusion.h"
#include "fallback.h"
#include "layout.h"
#include "node-maps.h"
#include "owner.h"
#include "packet-memory.h"
#include "parse.h"
#include "proxies.h"
#include "redirect.h"
#include "refuse.h"
#include "shared-maps.h"
#include "verdict.h"
#include "write-front.h"

/*
 * Two proxies that dial one server from the same client address choose their source ports without knowing of each
 * other. Whether another proxy has this connection already: answers for both would go to one of them.
 */
static __always_inline bool collides(struct __sk_buff *skb, const struct packet *packet,
				     const struct settings *settings)
{
	__u32 active = settings->active;
	struct flow answer;

	reverse(&answer, &packet->flow);
	for (__u32 slot = 0; slot < MAX_PROXIES; slot++) {
		struct proxy *proxy;

		if (slot + 1 != active && !is_draining(settings, slot))
			continue;
		proxy = proxy_in(slot);
		if (!proxy || proxy->ifindex == skb->ifindex)
			continue;
		if (proxy_owns(skb, &answer, packet->is_ipv6, proxy) == OWNS_LIVE)
			return true;
	}
	return false;
}

/*
 * Why a SYN of the proxy must not go on: a connection of these addresses and ports is there already. Its member has it past
 * the proxy, since before the enrolment or by an exclusion, as the one who began it or as the one who was called; or another
 * proxy has it. VERDICT_PASSED if it may.
 */
static __always_inline enum verdict why_taken(struct __sk_buff *skb, const struct packet *packet,
					      const struct settings *settings)
{
	struct flow answer;
	__u64 *until;

	reverse(&answer, &packet->flow);
	until = bpf_map_lookup_elem(&adopted, &answer);
	if (until && (*until & ADOPTED_ENDED) != ADOPTED_ENDED && bpf_ktime_get_ns() < *until)
		return VERDICT_ADOPTED;
	if (has_excluded(&answer) || has_excluded(&packet->flow))
		return VERDICT_EXCLUDED;
	if (settings->draining && collides(skb, packet, settings))
		return VERDICT_REFUSED_COLLISION;
	return VERDICT_PASSED;
}

/*
 * With SETTING_ROUTED, what a proxy begins with a member goes through the host's stack: all of it if the client whose
 * name it bears is a member here, to whose veth the host brings the answers back, else the SYN. Not its answers to a
 * connection that it took from the member: the host never saw that one, and its conntrack would call them invalid.
 */
static __always_inline bool goes_by_host(const struct packet *packet, enum frame frame)
{
	struct flow answer;
	__u32 way = VIA_HOST_SYN;

	if (frame != FRAME_TCP)
		return true;
	reverse(&answer, &packet->flow);
	if (!is_syn(packet))
		return goes_via_host(&answer);
	if (bpf_map_lookup_elem(&members, &packet->flow.source))
		bpf_map_delete_elem(&via_host, &answer); /* app_inbound makes it anew */
	else
		bpf_map_update_elem(&via_host, &answer, &way, BPF_ANY);
	return true;
}

/*
 * Whether another redirection has this connection of a member that joins or leaves, so that the host delivers the packet: it may
 * have to undo an address translation. Of a member that leaves only what a proxy accepts now can be such a one.
 */
static __always_inline bool is_delivered_by_other(const struct packet *packet, const struct member *member)
{
	__u32 ifindex = member->ifindex, one = 1;
	struct workload *workload = bpf_map_lookup_elem(&workloads, &ifindex);
	struct flow answer;

	if (!workload || !(workload->flags & (WORKLOAD_JOINING | WORKLOAD_LEAVING)))
		return false;
	reverse(&answer, &packet->flow);
	if (is_of_other(is_syn(packet), &answer, workload))
		return true;
	if (!(packet->flags & TCP_SYN) || is_syn(packet) || !is_released_to_other(workload) ||
	    is_noted(&answer, workload))
		return false;
	bpf_map_update_elem(&by_host, &packet->flow, &one, BPF_ANY);
	return true;
}

SEC("tc")
int ztunnel_host_in(struct __sk_buff *skb)
{
	const enum program self = PROGRAM_ZTUNNEL_HOST_IN;
	struct packet *packet = packet_memory(PACKET_AT_HAND);
	struct settings settings;
	struct member *member;
	enum frame frame;

	if (!packet)
		return drop(skb, self, VERDICT_DROPPED_ERROR);
	frame = by_way_of(packet, parse(skb, packet));
	if (frame != FRAME_TCP && frame != FRAME_TCP_FRAGMENT)
		return deliver_answer(skb, packet, frame);
	/* The proxy's own connections: conntrack must see both of their ways. */
	if (address_flags(&packet->flow.source) & ADDRESS_PROXY)
		return pass(self, VERDICT_PASSED);

	settings = read_settings();
	if (frame == FRAME_TCP && is_syn(packet)) {
		enum verdict taken = why_taken(skb, packet, &settings);

		if (taken != VERDICT_PASSED)
			return refuse(skb, packet, taken);
		remember_begun_by_proxy(packet);
	}

	member = bpf_map_lookup_elem(&members, &packet->flow.destination);
	if (!member)
		return pass(self, VERDICT_PASSED);
	/* The answer of a connection that came by the host, which may have to undo an address translation. */
	if (frame == FRAME_TCP && !is_syn(packet) && bpf_map_lookup_elem(&by_host, &packet->flow))
		return pass(self, VERDICT_PASSED);
	if (frame == FRAME_TCP && is_delivered_by_other(packet, member))
		return pass(self, VERDICT_PASSED);
	if ((settings.flags & SETTING_ROUTED) && goes_by_host(packet, frame))
		return pass(self, VERDICT_PASSED);
	if (frame == FRAME_TCP && is_syn(packet)) {
		/* An earlier connection of the same ports may have gone by the host; this one's answers must not. */
		struct flow answer;

		reverse(&answer, &packet->flow);
		bpf_map_delete_elem(&via_host, &answer);
	}
	if (!write_front(skb, member->mac, sizeof(member->mac)))
		return drop(skb, self, VERDICT_DROPPED_ERROR);
	count(self, VERDICT_DELIVERED);
	return redirect_into(skb, member->ifindex);
}
