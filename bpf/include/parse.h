/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a frame to its TCP header, in IPv4 and IPv6.
 *
 * A frame cannot get past us by its shape in memory: what does not lie in the packet's head (which may be of a few
 * bytes, with the rest in pages) is read by bpf_skb_load_bytes(), which finds it anywhere. Headers in their usual places
 * are read from the head directly; on CPUs that guard returns (SRSO, Retbleed) a helper's call costs more than the rest.
 */
#ifndef MILLRACE_PARSE_H
#define MILLRACE_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"
#include "layout.h"

/* TCP flags (RFC 9293 section 3.1), byte 13 of the header. */
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* Extension headers that the uapi headers have no name for (IANA protocol numbers). */
#define NEXTHDR_HIP 139
#define NEXTHDR_SHIM6 140

/*
 * More extension headers than any stack sends; RFC 8200 section 4.1 recommends an order in which seven occur at most
 * once or twice.
 */
#define MAX_EXTENSION_HEADERS 8

#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define IPV6_MORE_FRAGMENTS 0x0001

enum frame {
	FRAME_OTHER,	    /* nothing that could be TCP; if it is IP, `protocol` and `offset` say what */
	FRAME_TCP,	    /* has a whole TCP header: all of struct packet is set */
	FRAME_TCP_FRAGMENT, /* a later fragment of a TCP segment: addresses only */
	FRAME_UNPARSABLE,   /* may be TCP, but its header chain cannot be followed, or no stack would take it */
};

struct packet {
	struct flow flow; /* ports: TCP only */
	__u32 offset;	  /* of the header that `protocol` names, from the start of the frame */
	__u32 end;	  /* where the IP packet ends, padding excluded */
	__be32 sequence;
	__u8 flags;	   /* TCP_* */
	__u8 header_bytes; /* of the TCP header with its options */
	__u8 protocol;	   /* after the extension headers */
	bool is_ipv6;
	bool is_fragment : 1; /* first or later fragment */
	bool is_later_fragment : 1;
	bool is_of_node : 1;	 /* a socket of the node sent it, or has its connection */
	bool is_maybe_older : 1; /* than its member's enrolment: see fallback.h */
	__u8 frame;		 /* enum frame */
	__u8 waiting_proxy;	 /* slot + 1 of a draining proxy that has the connection in TIME_WAIT; 0: none */
};

/* Where a reader of headers stands. */
struct cursor {
	struct __sk_buff *skb;
	__u32 offset;
	__u32 end;
	bool is_split; /* went over an extension header that fragmentation tore from the packet's beginning */
};

/*
 * Reads what stands at the cursor; false: the packet ends before. `bytes` is constant.
 * The alignment is that of NET_IP_ALIGN, promised so that clang reads words and not bytes; without it x86 and arm64 read
 * words all the same, and on a machine that could not the verifier would say so.
 */
static __always_inline bool peek(const struct cursor *cursor, void *to, const __u32 bytes)
{
	if (cursor->offset + bytes > cursor->end)
		return false;
	if (__builtin_constant_p(cursor->offset)) {
		void *place = (void *)(long)cursor->skb->data + cursor->offset;

		if (place + bytes <= (void *)(long)cursor->skb->data_end) {
			__builtin_memcpy(to, __builtin_assume_aligned(place, 4), bytes);
			return true;
		}
	}
	return bpf_skb_load_bytes(cursor->skb, cursor->offset, to, bytes) == 0;
}

static __always_inline struct cursor at(const struct cursor *cursor, __u32 offset)
{
	return (struct cursor){ .skb = cursor->skb, .offset = offset, .end = cursor->end };
}

static __always_inline bool is_syn(const struct packet *packet)
{
	return (packet->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static __always_inline bool parse_ipv4(struct cursor *cursor, struct packet *packet)
{
	struct iphdr ip;
	__u32 total, fragment;

	if (!peek(cursor, &ip, sizeof(ip)))
		return false;
	if (ip.version != 4 || ip.ihl < 5)
		return false;
	/* 0 is BIG TCP, a length above 65535; the stack refuses any other (include/linux/ip.h, iph_totlen()). */
	total = bpf_ntohs(ip.tot_len);
	if (total && cursor->offset + total < cursor->end)
		cursor->end = cursor->offset + total;
	cursor->offset += ip.ihl * 4;
	if (cursor->offset > cursor->end)
		return false;

	fragment = bpf_ntohs(ip.frag_off);
	packet->is_later_fragment = fragment & IPV4_FRAGMENT_OFFSET;
	packet->is_fragment = fragment & (IPV4_FRAGMENT_OFFSET | IPV4_MORE_FRAGMENTS);
	packet->protocol = ip.protocol;
	set_ipv4(&packet->flow.source, ip.saddr);
	set_ipv4(&packet->flow.destination, ip.daddr);
	return true;
}

static __always_inline bool parse_ipv6(struct cursor *cursor, struct packet *packet)
{
	struct ipv6hdr ip;
	__u32 total;

	if (!peek(cursor, &ip, sizeof(ip)))
		return false;
	if (ip.version != 6)
		return false;
	cursor->offset += sizeof(ip);
	/* 0 is a jumbogram (RFC 2675), which is also how BIG TCP looks. */
	total = bpf_ntohs(ip.payload_len);
	if (total && cursor->offset + total < cursor->end)
		cursor->end = cursor->offset + total;

	packet->is_ipv6 = true;
	packet->protocol = ip.nexthdr;
	__builtin_memcpy(&packet->flow.source, &ip.saddr, sizeof(packet->flow.source));
	__builtin_memcpy(&packet->flow.destination, &ip.daddr, sizeof(packet->flow.destination));
	return true;
}

/*
 * Skips extension headers. In IPv4 only AH is one; the stack knows no other there.
 * Returns false if the chain is cut off or too long.
 * Fragments after a first one repeat what stands before the Fragment header, and name what stood behind it (RFC 8200
 * section 4.5): another extension header, if there was one.
 */
static __always_inline bool skip_extensions(struct cursor *cursor, struct packet *packet)
{
	struct {
		__u8 next;
		__u8 length;
		__be16 fragment;
	} header;

	for (int i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
		__u8 protocol = packet->protocol;
		__u32 bytes;

		/* What follows a later fragment's headers is the middle of something. */
		if (packet->is_later_fragment)
			return true;
		if (protocol != IPPROTO_AH) {
			if (!packet->is_ipv6)
				return true;
			if (protocol != IPPROTO_HOPOPTS && protocol != IPPROTO_ROUTING &&
			    protocol != IPPROTO_FRAGMENT && protocol != IPPROTO_DSTOPTS && protocol != IPPROTO_MH &&
			    protocol != NEXTHDR_HIP && protocol != NEXTHDR_SHIM6)
				return true;
		}
		if (i == MAX_EXTENSION_HEADERS)
			return false;
		if (!peek(cursor, &header, sizeof(header)))
			return false;
		cursor->is_split |= packet->is_fragment;

		bytes = header.length * 8 + 8;
		if (protocol == IPPROTO_AH)
			bytes = header.length * 4 + 8; /* RFC 4302 section 2.2: in words, minus 2 */
		if (protocol == IPPROTO_FRAGMENT) {
			__u32 fragment = bpf_ntohs(header.fragment);

			bytes = 8;
			packet->is_later_fragment = fragment & IPV6_FRAGMENT_OFFSET;
			if (fragment & (IPV6_FRAGMENT_OFFSET | IPV6_MORE_FRAGMENTS))
				packet->is_fragment = true;
		}
		packet->protocol = header.next;
		cursor->offset += bytes;
		if (cursor->offset > cursor->end)
			return false;
	}
	return false;
}

/* A first fragment has to hold the whole header too (RFC 7112; RFC 1858 for IPv4), or the rest could say anything. */
static __always_inline bool parse_tcp(const struct cursor *cursor, struct packet *packet)
{
	/* The place without options or extension headers; constants, unlike what the cursor says. */
	const struct cursor ipv4 = at(cursor, sizeof(struct ethhdr) + sizeof(struct iphdr));
	const struct cursor ipv6 = at(cursor, sizeof(struct ethhdr) + sizeof(struct ipv6hdr));
	struct tcphdr tcp;
	bool is_there;

	if (cursor->offset == ipv4.offset)
		is_there = peek(&ipv4, &tcp, sizeof(tcp));
	else if (cursor->offset == ipv6.offset)
		is_there = peek(&ipv6, &tcp, sizeof(tcp));
	else
		is_there = peek(cursor, &tcp, sizeof(tcp));
	if (!is_there)
		return false;
	packet->header_bytes = tcp.doff * 4;
	if (packet->header_bytes < sizeof(tcp) || cursor->offset + packet->header_bytes > cursor->end)
		return false;
	packet->flow.source_port = tcp.source;
	packet->flow.destination_port = tcp.dest;
	packet->sequence = tcp.seq;
	packet->flags = ((__u8 *)&tcp)[13];
	return true;
}

/* `packet` must be zeroed. Tags of VLAN offload are the caller's business: they are not in the frame. */
static __always_inline enum frame parse(struct __sk_buff *skb, struct packet *packet)
{
	struct cursor cursor = { .skb = skb, .offset = offsetof(struct ethhdr, h_proto), .end = skb->len };
	__be16 type;

	if (!peek(&cursor, &type, sizeof(type)))
		return FRAME_UNPARSABLE;
	cursor.offset = sizeof(struct ethhdr);

	if (type == bpf_htons(ETH_P_IP)) {
		if (!parse_ipv4(&cursor, packet))
			return FRAME_UNPARSABLE;
	} else if (type == bpf_htons(ETH_P_IPV6)) {
		if (!parse_ipv6(&cursor, packet))
			return FRAME_UNPARSABLE;
	} else if (type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD)) {
		/* The kernel takes a received frame's outer tag off, so this is a second: TCP could hide behind it. */
		return FRAME_UNPARSABLE;
	} else {
		return FRAME_OTHER;
	}

	if (!skip_extensions(&cursor, packet))
		return FRAME_UNPARSABLE;
	packet->offset = cursor.offset;
	packet->end = cursor.end;
	if (packet->protocol != IPPROTO_TCP)
		return FRAME_OTHER;
	/* The later fragments name an extension header and pass, as they may be of anything: without a first, all is lost. */
	if (cursor.is_split)
		return FRAME_UNPARSABLE;
	if (packet->is_later_fragment)
		return FRAME_TCP_FRAGMENT;
	return parse_tcp(&cursor, packet) ? FRAME_TCP : FRAME_UNPARSABLE;
}

#endif
