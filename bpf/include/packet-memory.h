/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a program keeps what it parsed. Not on its stack: the verifier follows every value there along every path
 * through the parser, and would walk the rest of the program once for each; in a map it forgets. (app_outbound took 400,000
 * steps, and takes 20,000.) One per CPU is enough: tc programs run with softirqs off, and none is left in the middle for
 * another packet.
 */
#ifndef MILLRACE_PACKET_MEMORY_H
#define MILLRACE_PACKET_MEMORY_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "parse.h"

enum {
	PACKET_AT_HAND,
	PACKET_QUOTED, /* by an ICMP error */
	PACKET_COUNT,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PACKET_COUNT);
	__type(key, __u32);
	__type(value, struct packet);
} packets SEC(".maps");

/* Zeroed. NULL never happens: the key is in range; the verifier wants it asked. */
static __always_inline struct packet *packet_memory(__u32 which)
{
	struct packet *packet = bpf_map_lookup_elem(&packets, &which);

	if (packet)
		__builtin_memset(packet, 0, sizeof(*packet));
	return packet;
}

/* What the parser made of the packet, by way of the map for the same reason: one path from here, not one per chain. */
static __always_inline enum frame by_way_of(struct packet *packet, enum frame frame)
{
	volatile __u8 *kept = &packet->frame;

	*kept = frame;
	return *kept;
}

#endif
