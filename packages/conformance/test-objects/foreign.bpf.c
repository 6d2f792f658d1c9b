/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Programs of somebody else on a pod's interface: they count what they see and do nothing else. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static __always_inline void count(void)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&seen, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
}

/* Well-behaved: the next program decides. */
SEC("tc")
int foreign_unspec(struct __sk_buff *skb)
{
	count();
	return TC_ACT_UNSPEC;
}

/* Ends the chain: no later program sees the packet. */
SEC("tc")
int foreign_ok(struct __sk_buff *skb)
{
	count();
	return TC_ACT_OK;
}

/* Ends the chain for IPv6 only. */
SEC("tc")
int foreign_ok_ipv6(struct __sk_buff *skb)
{
	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return TC_ACT_UNSPEC;
	count();
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
