/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A member's DNS. Questions go to the proxy's namespace with a source MAC of their own, where its rules (conntrack's
 * REDIRECT, kept by user space) lead them to port 15053. conntrack gives each answer the address of the server that was
 * asked, also when one socket asks several at once; from there the answer goes straight to the member.
 */
#ifndef MILLRACE_DNS_H
#define MILLRACE_DNS_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"
#include "member-frame.h"
#include "node-maps.h"
#include "parse.h"
#include "redirect.h"
#include "verdict.h"
#include "write-front.h"

#define DNS_RESPONSE 0x80 /* bit QR, third byte of a message (RFC 1035 section 4.1.1) */

static __always_inline bool captures_dns(const struct workload *workload)
{
	return workload && (workload->flags & WORKLOAD_DNS);
}

/* The ports of a UDP packet; false: it has none here, being a later fragment or cut off. */
static __always_inline bool read_udp(struct __sk_buff *skb, const struct packet *packet, struct udphdr *udp)
{
	const struct cursor cursor = { .skb = skb, .offset = packet->offset, .end = packet->end };

	return packet->protocol == IPPROTO_UDP && !packet->is_later_fragment && peek(&cursor, udp, sizeof(*udp));
}

/*
 * Whether a UDP packet is a question to a nameserver. What goes from port 53 to port 53 may also be an answer, of a
 * member that serves DNS.
 */
static __always_inline bool is_question(struct __sk_buff *skb, const struct packet *packet)
{
	const struct cursor message = {
		.skb = skb,
		.offset = packet->offset + sizeof(struct udphdr),
		.end = packet->end,
	};
	struct udphdr udp;
	__u8 head[3];

	if (!read_udp(skb, packet, &udp) || udp.dest != bpf_htons(PORT_DNS))
		return false;
	return udp.source != bpf_htons(PORT_DNS) || !peek(&message, head, sizeof(head)) || !(head[2] & DNS_RESPONSE);
}

static __always_inline int without_dns(struct __sk_buff *skb, const struct settings *settings)
{
	if (settings->flags & SETTING_FAIL_OPEN)
		return pass(PROGRAM_APP_OUTBOUND, VERDICT_OPEN);
	return drop(skb, PROGRAM_APP_OUTBOUND, VERDICT_DROPPED_NO_LISTENER);
}

/* For a frame of a proxy that is not TCP: an answer to a member goes straight there, anything else by the host. */
static __always_inline int deliver_answer(struct __sk_buff *skb, const struct packet *packet, enum frame frame)
{
	const enum program self = PROGRAM_ZTUNNEL_HOST_IN;
	struct member *member;
	struct udphdr udp;

	if (frame != FRAME_OTHER || packet->protocol != IPPROTO_UDP)
		return pass(self, VERDICT_PASSED);
	/*
	 * Foreign addresses in a proxy's UDP come from conntrack only. Later fragments carry no ports, and have to go
	 * the way of the first.
	 */
	if (address_flags(&packet->flow.source) & ADDRESS_PROXY)
		return pass(self, VERDICT_PASSED);
	if (!packet->is_later_fragment && (!read_udp(skb, packet, &udp) || udp.source != bpf_htons(PORT_DNS)))
		return pass(self, VERDICT_PASSED);
	member = bpf_map_lookup_elem(&members, &packet->flow.destination);
	if (!member)
		return pass(self, VERDICT_PASSED);
	if (!write_front(skb, member->mac, sizeof(member->mac)))
		return drop(skb, self, VERDICT_DROPPED_ERROR);
	count(self, VERDICT_DELIVERED);
	return redirect_into(skb, member->ifindex);
}

#endif
