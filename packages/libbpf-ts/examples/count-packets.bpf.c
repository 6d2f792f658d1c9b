// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counts packets and bytes by EtherType. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct traffic {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 256);
	__type(key, __be16);
	__type(value, struct traffic);
} traffic SEC(".maps");

SEC("tc")
int count(struct __sk_buff *skb)
{
	__be16 protocol = skb->protocol;
	struct traffic *t = bpf_map_lookup_elem(&traffic, &protocol);

	if (!t) {
		struct traffic none = {};

		bpf_map_update_elem(&traffic, &protocol, &none, BPF_NOEXIST);
		t = bpf_map_lookup_elem(&traffic, &protocol);
		if (!t)
			return TC_ACT_UNSPEC;
	}
	t->packets++;
	t->bytes += skb->len;
	return TC_ACT_UNSPEC; /* the next program decides */
}

char _license[] SEC("license") = "Dual BSD/GPL";
