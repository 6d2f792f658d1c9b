/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which proxy a packet's connection belongs to. */
#ifndef MILLRACE_OWNER_H
#define MILLRACE_OWNER_H

#include "flow.h"
#include "layout.h"
#include "parse.h"
#include "proxies.h"
#include "socket-table.h"

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
