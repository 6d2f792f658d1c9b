// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Refuses everything, or nothing. libbpf before 1.3 does not know the section. */
#include "bpf.h"

#include <linux/netfilter.h>

SEC("netfilter")
int drop(void *ctx)
{
	(void)ctx;
	return NF_DROP;
}

SEC("netfilter")
int accept(void *ctx)
{
	(void)ctx;
	return NF_ACCEPT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
