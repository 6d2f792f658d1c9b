// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A map of each kind that the tests read and write, and programs that count into them. */
#include "bpf.h"

#include <linux/pkt_cls.h>

struct route_key {
	__u32 prefix_len;
	__u8 address[4];
};

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(max_entries, 16);
	TYPE(key, __u32);
	TYPE(value, __u64);
} a_hash SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_ARRAY);
	UINT(max_entries, 4);
	TYPE(key, __u32);
	TYPE(value, __u64);
} an_array SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, 2);
	TYPE(key, __u32);
	TYPE(value, __u32);
} a_percpu_array SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_LPM_TRIE);
	UINT(map_flags, BPF_F_NO_PREALLOC);
	UINT(max_entries, 4);
	TYPE(key, struct route_key);
	TYPE(value, __u32);
} an_lpm_trie SEC(".maps");

const volatile __s32 verdict = TC_ACT_OK;

/* Counts each packet twice, and returns what the constant says. */
SEC("tc")
int count(struct __sk_buff *skb)
{
	__u32 zero = 0;
	__u64 *total = map_lookup(&an_array, &zero);
	__u32 *here = map_lookup(&a_percpu_array, &zero);

	if (total)
		__sync_fetch_and_add(total, 1);
	if (here)
		*here += 1;
	return verdict;
}

/* Remembers the mark of the context, changes it, writes into the packet, and passes the packet on to the next program. */
SEC("tc")
int remember(struct __sk_buff *skb)
{
	__u32 mark = skb->mark;
	__u8 byte = 0xff;
	__u64 one = 1;

	map_update(&a_hash, &mark, &one, BPF_ANY);
	map_lookup(&an_lpm_trie, &(struct route_key){ .prefix_len = 32 });
	skb_store_bytes(skb, 0, &byte, sizeof(byte), 0);
	skb->mark = mark + 1;
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "Dual BSD/GPL";
