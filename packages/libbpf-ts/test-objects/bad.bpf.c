// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Refused by the verifier, after a log of many pages: reads the packet without asking where it ends. */
#include "bpf.h"

SEC("tc")
int unchecked(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data;
	volatile __u32 sum = skb->len;

#pragma clang loop unroll(full)
	for (int i = 0; i < 2000; i++)
		sum += skb->mark ^ i;
	return data[40] + sum;
}

char _license[] SEC("license") = "Dual BSD/GPL";
