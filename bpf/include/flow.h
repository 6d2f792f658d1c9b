/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses and connections. */
#ifndef MILLRACE_FLOW_H
#define MILLRACE_FLOW_H

#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"

/* The four words of an address, in network byte order. */
static __always_inline __be32 *words(struct address *address)
{
	return (__be32 *)address->bytes;
}

static __always_inline void set_ipv4(struct address *address, __be32 value)
{
	__be32 *word = words(address);

	word[0] = 0;
	word[1] = 0;
	word[2] = bpf_htonl(0xffff);
	word[3] = value;
}

/* The same connection as the other end's packets show it. */
static __always_inline void reverse(struct flow *to, const struct flow *from)
{
	to->source = from->destination;
	to->destination = from->source;
	to->source_port = from->destination_port;
	to->destination_port = from->source_port;
}

#endif
