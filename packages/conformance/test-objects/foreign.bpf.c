/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Programs that stand for other owners on a member's veth. Each counts the frames it sees under its own key. */

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum {
	COUNT_TCX,
	COUNT_CLSACT,
	COUNT_OK,
	COUNTS,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} foreign_counts SEC(".maps");

static __always_inline void count(__u32 key)
{
	__u64 *value = bpf_map_lookup_elem(&foreign_counts, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
}

/* Counts and lets the next one decide. */
SEC("tc")
int foreign_tcx(struct __sk_buff *skb)
{
	count(COUNT_TCX);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int foreign_clsact(struct __sk_buff *skb)
{
	count(COUNT_CLSACT);
	return TC_ACT_UNSPEC;
}

/* Ends the chain: whatever comes behind it does not run. */
SEC("tc")
int foreign_ok(struct __sk_buff *skb)
{
	count(COUNT_OK);
	return TC_ACT_OK;
}

/* Ends the chain for IPv6 only. */
SEC("tc")
int foreign_ok_ipv6(struct __sk_buff *skb)
{
	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return TC_ACT_UNSPEC;
	count(COUNT_OK);
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
