// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A map of maps: which counter is counted is for user space to say. */
#include "bpf.h"

#include <linux/pkt_cls.h>

struct counter {
	UINT(type, BPF_MAP_TYPE_ARRAY);
	UINT(max_entries, 1);
	TYPE(key, __u32);
	TYPE(value, __u64);
};

struct {
	UINT(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	UINT(max_entries, 4);
	TYPE(key, __u32);
	struct counter *values[];
} counters SEC(".maps");

/* Returns 0 when there is a counter for the packet's mark, else 1. */
SEC("tc")
int count(struct __sk_buff *skb)
{
	__u32 mark = skb->mark, zero = 0;
	void *counter = map_lookup(&counters, &mark);
	__u64 *n = counter ? map_lookup(counter, &zero) : 0;

	if (!n)
		return 1;
	__sync_fetch_and_add(n, 1);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
