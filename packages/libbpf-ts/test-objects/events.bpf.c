// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Tells user space of each packet: its number and its length, and for an even number eleven bytes more. */
#include "bpf.h"

#include <linux/pkt_cls.h>

struct {
	UINT(type, BPF_MAP_TYPE_RINGBUF);
	UINT(max_entries, 4 * 1024 * 1024);
} events SEC(".maps");

struct event {
	__u32 number;
	__u32 packet_len;
	__u8 more[11];
} __attribute__((packed));

__u32 sent = 0;
__u32 dropped = 0;

static __attribute__((always_inline)) int report(struct __sk_buff *skb, __u64 flags)
{
	struct event event = { .packet_len = skb->len, .more = "0123456789" };
	__u64 size = 8;

	event.number = __sync_fetch_and_add(&sent, 1);
	if (event.number % 2 == 0)
		size = sizeof(event);
	if (ringbuf_output(&events, &event, size, flags))
		__sync_fetch_and_add(&dropped, 1);
	return TC_ACT_OK;
}

SEC("tc")
int loud(struct __sk_buff *skb)
{
	return report(skb, 0);
}

/* Wakes nobody. */
SEC("tc")
int quiet(struct __sk_buff *skb)
{
	return report(skb, BPF_RB_NO_WAKEUP);
}

char _license[] SEC("license") = "Dual BSD/GPL";
