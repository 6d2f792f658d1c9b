/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frames on a member's veth with a VLAN tag. The kernel keeps the (outer) tag beside the frame.
 *
 * VID 0 is a priority tag (IEEE 802.1Q section 6.9): the stack treats the frame as untagged, so do we. Any other tag is
 * for a VLAN device on top of the veth, of whose addresses and routes we know nothing: TCP in it is refused.
 */
#ifndef MILLRACE_MEMBER_FRAME_H
#define MILLRACE_MEMBER_FRAME_H

#include "parse.h"

#define VLAN_ID 0x0fff

static __always_inline bool is_in_vlan(struct __sk_buff *skb)
{
	return skb->vlan_present && (skb->vlan_tci & VLAN_ID);
}

static __always_inline enum frame parse_member_frame(struct __sk_buff *skb, struct packet *packet)
{
	enum frame frame = parse(skb, packet);

	if (frame != FRAME_OTHER && is_in_vlan(skb))
		return FRAME_UNPARSABLE;
	return frame;
}

#endif
