/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Our own lookups in a proxy's socket tables run that proxy's sk_lookup program like a packet does when they find no
 * connection. This note to it, on the CPU that asks, says that no packet is to be steered, nor counted: the answer
 * comes on the same CPU before the asking program goes on, which no other packet interrupts (softirqs are off).
 */
#ifndef MILLRACE_QUESTION_H
#define MILLRACE_QUESTION_H

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "shared-maps.h"

/* NULL never happens: the key is in range; the verifier wants it asked. */
static __always_inline volatile struct question *this_cpu_question(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&questions, &key);
}

static __always_inline bool is_asking(void)
{
	volatile struct question *question = this_cpu_question();

	return question && question->is_open;
}

#endif
