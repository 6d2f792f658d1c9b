/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers TCP with RST (RFC 9293 section 3.10.7.1): <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>, or <SEQ=SEG.ACK><CTL=RST>
 * to what has an ACK.
 *
 * The frame is turned round in place. IP options and extension headers stay, so that offsets do.
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

/* What the stack's own answers begin with (RFC 1700). */
#define HOPS 64

/* Whether an RST may answer it: none answers an RST, and of a fragment nobody has the rest. */
static __always_inline bool is_answerable(const struct packet *packet)
{
	return !(packet->flags & TCP_RST) && !packet->is_fragment;
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/*
 * Writes the header with its checksum, over the pseudo header too (RFC 9293 section 3.1, RFC 8200 section 8.1).
 *
 * A packet that has not left this machine may have its checksum left to a device (CHECKSUM_PARTIAL): then the field holds
 * the pseudo header's sum, and whoever finishes it adds the rest. Only the kernel can tell, and bpf_l4_csum_replace() does:
 * it leaves such a field as it is. In any other it turns the pseudo header's sum P into ~(difference - P), which is to be
 * ~(T + P) for a header's sum T.
 */
static __always_inline bool store_tcp(struct __sk_buff *skb, const struct packet *packet, struct tcphdr *tcp)
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
	__u16 sum, difference;

	/* Serves IPv4 as well: the 0xffff of ::ffff:a.b.c.d is zero in this arithmetic. */
	sum = fold((__u32)bpf_csum_diff(NULL, 0, (__be32 *)&pseudo, sizeof(pseudo), 0));
	tcp->check = 0;
	difference = fold((__u64)(__u32)bpf_csum_diff(NULL, 0, (__be32 *)tcp, sizeof(*tcp), 0) + sum + sum);
	tcp->check = sum;
	return bpf_skb_store_bytes(skb, packet->offset, tcp, sizeof(*tcp), 0) == 0 &&
	       bpf_l4_csum_replace(skb, packet->offset + offsetof(struct tcphdr, check), 0, difference, 0) == 0;
}

static __always_inline bool swap_macs(struct __sk_buff *skb)
{
	struct {
		__u8 destination[ETH_ALEN], source[ETH_ALEN];
	} before, after;

	if (bpf_skb_load_bytes(skb, 0, &before, sizeof(before)))
		return false;
	__builtin_memcpy(after.destination, before.source, ETH_ALEN);
	__builtin_memcpy(after.source, before.destination, ETH_ALEN);
	return bpf_skb_store_bytes(skb, 0, &after, sizeof(after), 0) == 0;
}

static __always_inline bool turn_ipv4(struct __sk_buff *skb, __u32 end)
{
	const __u32 header = sizeof(struct ethhdr);
	struct iphdr before, after;

	if (bpf_skb_load_bytes(skb, header, &before, sizeof(before)))
		return false;
	after = before;
	after.saddr = before.daddr;
	after.daddr = before.saddr;
	after.tot_len = bpf_htons(end - header);
	after.ttl = HOPS;
	/* By the difference: options count too, and stay as they are. Taking a checksum off adds its complement. */
	after.check = 0;
	after.check =
		~fold((__u32)bpf_csum_diff((__be32 *)&before, sizeof(before), (__be32 *)&after, sizeof(after), 0));
	return bpf_skb_store_bytes(skb, header, &after, sizeof(after), 0) == 0;
}

static __always_inline bool turn_ipv6(struct __sk_buff *skb, __u32 end)
{
	const __u32 header = sizeof(struct ethhdr);
	struct ipv6hdr before, after;

	if (bpf_skb_load_bytes(skb, header, &before, sizeof(before)))
		return false;
	after = before;
	after.saddr = before.daddr;
	after.daddr = before.saddr;
	after.payload_len = bpf_htons(end - header - sizeof(after));
	after.hop_limit = HOPS;
	return bpf_skb_store_bytes(skb, header, &after, sizeof(after), 0) == 0;
}

/* Makes the answer of an answerable packet. Its MACs are swapped as well. */
static __always_inline bool turn_round(struct __sk_buff *skb, const struct packet *packet)
{
	__u32 end = packet->offset + sizeof(struct tcphdr);
	struct tcphdr tcp = {
		.source = packet->flow.destination_port,
		.dest = packet->flow.source_port,
		.doff = sizeof(tcp) / 4,
		.rst = 1,
	};

	if (packet->flags & TCP_ACK) {
		if (bpf_skb_load_bytes(skb, packet->offset + offsetof(struct tcphdr, ack_seq), &tcp.seq,
				       sizeof(tcp.seq)))
			return false;
	} else {
		/* SYN and FIN count as one each. */
		__u32 length = packet->end - packet->offset - packet->header_bytes + !!(packet->flags & TCP_SYN) +
			       !!(packet->flags & TCP_FIN);

		tcp.ack_seq = bpf_htonl(bpf_ntohl(packet->sequence) + length);
		tcp.ack = 1;
	}
	if (bpf_skb_change_tail(skb, end, 0))
		return false;
	if (!swap_macs(skb))
		return false;
	if (packet->is_ipv6 ? !turn_ipv6(skb, end) : !turn_ipv4(skb, end))
		return false;
	return store_tcp(skb, packet, &tcp);
}

/* For a SYN of a proxy, on its host veth: back where it came from. */
static __always_inline int refuse(struct __sk_buff *skb, const struct packet *packet, enum verdict why)
{
	if (!turn_round(skb, packet))
		return drop(skb, PROGRAM_ZTUNNEL_HOST_IN, VERDICT_DROPPED_ERROR);
	count(PROGRAM_ZTUNNEL_HOST_IN, why);
	tell(skb, PROGRAM_ZTUNNEL_HOST_IN, why);
	return bpf_redirect(skb->ifindex, 0);
}

/*
 * For a redirected packet, in the proxy's namespace: by the neighbour that the proxy's own answers go to, since the MAC it
 * came from is nobody's. The namespace's own routes say which; the source may be any address (FLOWI_FLAG_ANYSRC).
 */
static __always_inline int refuse_redirected(struct __sk_buff *skb, const struct packet *packet, enum verdict why)
{
	if (!is_answerable(packet))
		return drop(skb, PROGRAM_ZTUNNEL_TPROXY, why);
	if (!turn_round(skb, packet))
		return drop(skb, PROGRAM_ZTUNNEL_TPROXY, VERDICT_DROPPED_ERROR);
	count(PROGRAM_ZTUNNEL_TPROXY, why);
	tell(skb, PROGRAM_ZTUNNEL_TPROXY, why);
	return bpf_redirect_neigh(skb->ifindex, NULL, 0, 0);
}

#endif
