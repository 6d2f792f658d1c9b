// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A small program for each kind of hook that is no device. */
#include "bpf.h"

#include <linux/types.h>

enum counter { PACKETS, CONNECTIONS, MESSAGES };

struct {
	UINT(type, BPF_MAP_TYPE_ARRAY);
	UINT(max_entries, 3);
	TYPE(key, __u32);
	TYPE(value, __u64);
} counters SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_SOCKMAP);
	UINT(max_entries, 4);
	TYPE(key, __u32);
	TYPE(value, __u64);
} sockets SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_SOCKHASH);
	UINT(max_entries, 4);
	TYPE(key, __u64);
	TYPE(value, __u64);
} sockets_by_name SEC(".maps");

static __attribute__((always_inline)) void count(__u32 counter)
{
	__u64 *n = map_lookup(&counters, &counter);

	if (n)
		__sync_fetch_and_add(n, 1);
}

SEC("cgroup_skb/egress")
int count_packet(struct __sk_buff *skb)
{
	(void)skb;
	count(PACKETS);
	return 1;
}

SEC("cgroup/connect4")
int refuse_7777(struct bpf_sock_addr *ctx)
{
	return ctx->user_port != __builtin_bswap16(7777);
}

SEC("cgroup/connect4")
int let_connect(struct bpf_sock_addr *ctx)
{
	(void)ctx;
	return 1;
}

SEC("sockops")
int count_connection(struct bpf_sock_ops *ops)
{
	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		count(CONNECTIONS);
	return 1;
}

SEC("sk_msg")
int refuse_message(struct sk_msg_md *msg)
{
	(void)msg;
	count(MESSAGES);
	return SK_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
