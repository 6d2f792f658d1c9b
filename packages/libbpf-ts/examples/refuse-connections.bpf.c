// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Refuses IPv4 connections to ports that user space names, and counts them. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be16);
	__type(value, __u64);
} refused SEC(".maps");

SEC("cgroup/connect4")
int connect(struct bpf_sock_addr *ctx)
{
	__be16 port = ctx->user_port;
	__u64 *times = bpf_map_lookup_elem(&refused, &port);

	if (!times)
		return 1;
	__sync_fetch_and_add(times, 1);
	return 0; /* EPERM for who connects */
}

char _license[] SEC("license") = "Dual BSD/GPL";
