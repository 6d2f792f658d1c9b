/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ingress of a member's host veth: counts what app_outbound would do. */

#include "app_outbound.bpf.c"

SEC("tc")
int shadow_outbound(struct __sk_buff *skb)
{
	const __u32 at_hand = PACKET_AT_HAND;
	struct packet *packet;

	app_outbound(skb);
	packet = bpf_map_lookup_elem(&packets, &at_hand);
	count_for_workload(skb->ifindex, PROGRAM_APP_OUTBOUND, packet && packet->frame == FRAME_TCP && is_syn(packet));
	return TC_ACT_UNSPEC;
}
