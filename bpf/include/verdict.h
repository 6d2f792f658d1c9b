/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a program ends. Every way out counts one verdict.
 *
 * "Not mine" is TC_ACT_UNSPEC, which lets later programs on the hook run, tcx and clsact alike: TC_ACT_OK would silence
 * both, TC_ACT_PIPE would end a tcx chain (kernel/bpf: include/net/tcx.h, tcx_action_code()).
 */
#ifndef MILLRACE_VERDICT_H
#define MILLRACE_VERDICT_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "events.h"
#include "layout.h"
#include "shared-maps.h"

static __always_inline void count(enum program program, enum verdict verdict)
{
	__u32 index = program * VERDICT_COUNT + verdict;
	__u64 *counter = bpf_map_lookup_elem(&counters, &index);

	if (counter)
		(*counter)++;
#ifdef MILLRACE_SHADOW
	note_verdict(verdict);
#endif
}

static __always_inline int pass(enum program program, enum verdict verdict)
{
	count(program, verdict);
	return TC_ACT_UNSPEC;
}

static __always_inline int drop(struct __sk_buff *skb, enum program program, enum verdict verdict)
{
	count(program, verdict);
	tell(skb, program, verdict);
	return TC_ACT_SHOT;
}

#endif
