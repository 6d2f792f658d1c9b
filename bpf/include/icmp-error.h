/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP errors about a proxy's connections. The proxy speaks with the member's address, so the network tells the member
 * that a packet was too big, and the proxy would send it for ever. The member still gets the error (its stack ignores
 * what it has no socket for), the proxy gets a copy.
 */
#ifndef MILLRACE_ICMP_ERROR_H
#define MILLRACE_ICMP_ERROR_H

#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/in.h>

#include <bpf/bpf_helpers.h>

#include "layout.h"
#include "owner.h"
#include "packet-memory.h"
#include "parse.h"
#include "proxies.h"
#include "redirect.h"
#include "verdict.h"
#include "write-front.h"

/* As in linux/icmp.h, which needs libc's headers. */
#define ICMP_DEST_UNREACH 3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12

/* Both protocols: type, code, checksum, and four bytes that depend on the type. */
#define ICMP_HEADER 8

/* What net/ipv4/tcp_ipv4.c, tcp_v4_err(), and net/ipv6/tcp_ipv6.c, tcp_v6_err(), act on. */
static __always_inline bool is_icmp_error(__u8 type, bool is_ipv6)
{
	if (is_ipv6)
		return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB;
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

/*
 * The connection that an ICMP error quotes, as its other end's packets show it. An error quotes the ports and sequence
 * number at least (RFC 792, RFC 4443 section 3). `quoted` must be zeroed.
 */
static __always_inline bool parse_quote(struct __sk_buff *skb, const struct packet *packet, struct packet *quoted)
{
	struct cursor cursor = { .skb = skb, .offset = packet->offset, .end = packet->end };
	struct flow sent;
	__be16 ports[2];
	__u8 type;

	if (packet->is_fragment || packet->protocol != (packet->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return false;
	if (!peek(&cursor, &type, sizeof(type)) || !is_icmp_error(type, packet->is_ipv6))
		return false;
	cursor.offset += ICMP_HEADER;
	if (packet->is_ipv6 ? !parse_ipv6(&cursor, quoted) : !parse_ipv4(&cursor, quoted))
		return false;
	if (!skip_extensions(&cursor, quoted) || quoted->protocol != IPPROTO_TCP || quoted->is_later_fragment)
		return false;
	if (!peek(&cursor, ports, sizeof(ports)))
		return false;
	quoted->flow.source_port = ports[0];
	quoted->flow.destination_port = ports[1];
	sent = quoted->flow;
	reverse(&quoted->flow, &sent);
	return true;
}

/* The proxy that the error concerns, NULL if none. */
static __always_inline struct proxy *concerned_proxy(struct __sk_buff *skb, struct packet *quoted)
{
	struct settings settings = read_settings();
	struct proxy *active = active_proxy(&settings);
	struct proxy *owner = draining_owner(skb, quoted, &settings, active);

	if (owner)
		return owner;
	if (active && proxy_owns(skb, &quoted->flow, quoted->is_ipv6, active) == OWNS_LIVE)
		return active;
	return NULL;
}

/* For a frame of app_inbound that is not TCP. */
static __always_inline int pass_icmp_error(struct __sk_buff *skb, const struct packet *packet)
{
	const enum program self = PROGRAM_APP_INBOUND;
	const __u8 mac[ETH_ALEN] = DIRECTION_MAC_INBOUND;
	struct packet *quoted = packet_memory(PACKET_QUOTED);
	struct proxy *proxy;
	__u8 macs[2 * ETH_ALEN];

	if (!quoted)
		return drop(skb, self, VERDICT_DROPPED_ERROR);
	if (!parse_quote(skb, packet, quoted))
		return pass(self, VERDICT_PASSED);
	proxy = concerned_proxy(skb, quoted);
	if (!proxy)
		return pass(self, VERDICT_PASSED);

	if (bpf_skb_load_bytes(skb, 0, macs, sizeof(macs)) || !set_macs(skb, proxy->mac, mac))
		return drop(skb, self, VERDICT_DROPPED_ERROR);
	bpf_clone_redirect(skb, proxy->ifindex, 0);
	if (!write_front(skb, macs, sizeof(macs)))
		return drop(skb, self, VERDICT_DROPPED_ERROR);
	return pass(self, VERDICT_COPIED);
}

#endif
