/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handing a frame to another veth. */
#ifndef MILLRACE_REDIRECT_H
#define MILLRACE_REDIRECT_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "layout.h"
#include "verdict.h"
#include "write-front.h"

/*
 * The first two fields of an Ethernet header. The source is copied in powers of two, which clang folds into immediates;
 * otherwise it would put it into .rodata, one more map for user space to carry.
 */
static __always_inline bool set_macs(struct __sk_buff *skb, const __u8 *destination, const __u8 *source)
{
	__u8 macs[2 * ETH_ALEN] __attribute__((aligned(2)));

	__builtin_memcpy(macs, destination, ETH_ALEN);
	__builtin_memcpy(macs + ETH_ALEN, source, 4);
	__builtin_memcpy(macs + ETH_ALEN + 4, source + 4, 2);
	return write_front(skb, macs, sizeof(macs));
}

/*
 * Straight into the namespace at the other end of a veth, past the host's stack. tc ingress only.
 * A bridge's port sees frames that are not for its own MAC (PACKET_OTHERHOST); before 6.15 bpf_redirect_peer() leaves
 * that on the packet, and IP would ignore it.
 */
static __always_inline int redirect_into(struct __sk_buff *skb, __u32 ifindex)
{
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	return bpf_redirect_peer(ifindex, 0);
}

static __always_inline int send_from_member(struct __sk_buff *skb, const struct proxy *proxy, enum verdict verdict,
					    const __u8 *mac)
{
	/* A priority tag would still be on the frame; see member-frame.h. */
	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return drop(skb, PROGRAM_APP_OUTBOUND, VERDICT_DROPPED_ERROR);
	if (!set_macs(skb, proxy->mac, mac))
		return drop(skb, PROGRAM_APP_OUTBOUND, VERDICT_DROPPED_ERROR);
	count(PROGRAM_APP_OUTBOUND, verdict);
	return redirect_into(skb, proxy->ifindex);
}

/* A member's frame to a proxy, from the ingress of the member's host veth. */
static __always_inline int send_outbound(struct __sk_buff *skb, const struct proxy *proxy, enum verdict verdict)
{
	const __u8 mac[ETH_ALEN] = DIRECTION_MAC_OUTBOUND;

	return send_from_member(skb, proxy, verdict, mac);
}

/* A member's question to a proxy's DNS port; from the same place. */
static __always_inline int send_dns(struct __sk_buff *skb, const struct proxy *proxy)
{
	const __u8 mac[ETH_ALEN] = DIRECTION_MAC_DNS;

	return send_from_member(skb, proxy, VERDICT_CAPTURED_DNS, mac);
}

/* A frame for a member to a proxy, from the egress of the member's host veth, where bpf_redirect_peer() is refused. */
static __always_inline int send_inbound(struct __sk_buff *skb, const struct proxy *proxy, enum verdict verdict)
{
	const __u8 mac[ETH_ALEN] = DIRECTION_MAC_INBOUND;

	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return drop(skb, PROGRAM_APP_INBOUND, VERDICT_DROPPED_ERROR);
	if (!set_macs(skb, proxy->mac, mac))
		return drop(skb, PROGRAM_APP_INBOUND, VERDICT_DROPPED_ERROR);
	count(PROGRAM_APP_INBOUND, verdict);
	return bpf_redirect(proxy->ifindex, 0);
}

#endif
