/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers a SYN with RST on the veth it came from (RFC 9293 section 3.10.7.1):
 * <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>.
 *
 * The frame is turned round in place. IP options and extension headers stay, so that offsets do; they came from the
 * proxy's own stack, and go back to it.
 */
#ifndef MILLRACE_REFUSE_H
#define MILLRACE_REFUSE_H

#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"
#include "parse.h"
#include "verdict.h"

/* Checksum over the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1) and the TCP header. */
static __always_inline __u16 tcp_checksum(const struct packet *packet, struct tcphdr *tcp)
{
	struct {
		struct address source, destination;
		__be32 length, protocol;
	} pseudo = {
		.source = packet->flow.destination,
		.destination = packet->flow.source,
		.length = bpf_htonl(sizeof(*tcp)),
		.protocol = bpf_htonl(IPPROTO_TCP),
	};
	__s64 sum;

	/* Serves IPv4 as well: the 0xffff of ::ffff:a.b.c.d is zero in this arithmetic. */
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&pseudo, sizeof(pseudo), 0);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)tcp, sizeof(*tcp), sum);
	sum = (sum & 0xffff) + ((__u32)sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline bool swap(struct __sk_buff *skb, __u32 offset, void *buffer, void *swapped, __u32 bytes)
{
	if (bpf_skb_load_bytes(skb, offset, buffer, 2 * bytes))
		return false;
	__builtin_memcpy(swapped, buffer + bytes, bytes);
	__builtin_memcpy(swapped + bytes, buffer, bytes);
	return bpf_skb_store_bytes(skb, offset, swapped, 2 * bytes, 0) == 0;
}

static __always_inline bool set_length_ipv4(struct __sk_buff *skb, __u32 end)
{
	const __u32 header = sizeof(struct ethhdr);
	__be16 length = bpf_htons(end - header), old;

	if (bpf_skb_load_bytes(skb, header + offsetof(struct iphdr, tot_len), &old, sizeof(old)))
		return false;
	if (bpf_skb_store_bytes(skb, header + offsetof(struct iphdr, tot_len), &length, sizeof(length), 0))
		return false;
	/* Swapped addresses do not change the header's checksum. */
	return bpf_l3_csum_replace(skb, header + offsetof(struct iphdr, check), old, length, sizeof(length)) == 0;
}

static __always_inline bool set_length_ipv6(struct __sk_buff *skb, __u32 end)
{
	const __u32 header = sizeof(struct ethhdr);
	__be16 length = bpf_htons(end - header - sizeof(struct ipv6hdr));

	return bpf_skb_store_bytes(skb, header + offsetof(struct ipv6hdr, payload_len), &length, sizeof(length), 0) ==
	       0;
}

static __always_inline bool turn_round(struct __sk_buff *skb, const struct packet *packet)
{
	__u32 end = packet->offset + sizeof(struct tcphdr);
	__u32 length = packet->end - packet->offset - packet->header_bytes + 1; /* the SYN counts as one */
	struct tcphdr tcp = {
		.source = packet->flow.destination_port,
		.dest = packet->flow.source_port,
		.ack_seq = bpf_htonl(bpf_ntohl(packet->sequence) + length),
		.doff = sizeof(tcp) / 4,
		.rst = 1,
		.ack = 1,
	};
	__u8 before[2 * sizeof(struct address)], after[2 * sizeof(struct address)];

	tcp.check = tcp_checksum(packet, &tcp);
	if (bpf_skb_change_tail(skb, end, 0))
		return false;
	if (!swap(skb, 0, before, after, ETH_ALEN))
		return false;
	if (packet->is_ipv6) {
		if (!swap(skb, sizeof(struct ethhdr) + offsetof(struct ipv6hdr, saddr), before, after,
			  sizeof(struct in6_addr)))
			return false;
		if (!set_length_ipv6(skb, end))
			return false;
	} else {
		if (!swap(skb, sizeof(struct ethhdr) + offsetof(struct iphdr, saddr), before, after, sizeof(__be32)))
			return false;
		if (!set_length_ipv4(skb, end))
			return false;
	}
	return bpf_skb_store_bytes(skb, packet->offset, &tcp, sizeof(tcp), 0) == 0;
}

static __always_inline int refuse(struct __sk_buff *skb, const struct packet *packet, enum verdict why)
{
	if (!turn_round(skb, packet))
		return drop(PROGRAM_ZTUNNEL_HOST_IN, VERDICT_DROPPED_ERROR);
	count(PROGRAM_ZTUNNEL_HOST_IN, why);
	return bpf_redirect(skb->ifindex, 0);
}

#endif
