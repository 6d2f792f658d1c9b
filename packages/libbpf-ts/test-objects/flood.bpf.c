// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a program that watches connections does for each packet: counts by source address, and tells user space of it. */
#include "bpf.h"

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>

struct flow_event {
	__u64 time_ns;
	__u32 source;
	__u32 destination;
	__u32 ifindex;
	__u32 len;
};

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(max_entries, 65536);
	TYPE(key, __u32);
	TYPE(value, __u64);
} packets SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_RINGBUF);
	UINT(max_entries, 4 * 1024 * 1024);
} events SEC(".maps");

__u64 dropped = 0;

SEC("tc")
int flood(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct flow_event *event;
	__u32 source;
	__u64 *n;

	if ((void *)(ip + 1) > end || eth->h_proto != __builtin_bswap16(ETH_P_IP))
		return TC_ACT_OK;
	source = ip->saddr;
	n = map_lookup(&packets, &source);
	if (n) {
		__sync_fetch_and_add(n, 1);
	} else {
		__u64 one = 1;

		map_update(&packets, &source, &one, BPF_ANY);
	}
	event = ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&dropped, 1);
		return TC_ACT_OK;
	}
	event->time_ns = ktime_get_ns();
	event->source = source;
	event->destination = ip->daddr;
	event->ifindex = skb->ifindex;
	event->len = skb->len;
	ringbuf_submit(event, 0);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
