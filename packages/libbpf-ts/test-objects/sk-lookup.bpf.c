// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Refuses new connections to one port, the rest goes on as if nobody were here. */
#include "bpf.h"

struct {
	UINT(type, BPF_MAP_TYPE_SOCKMAP);
	UINT(max_entries, 4);
	TYPE(key, __u32);
	TYPE(value, __u64);
} sockets SEC(".maps");

const volatile __u32 refused_port = 7777;

SEC("sk_lookup")
int refuse(struct bpf_sk_lookup *ctx)
{
	return ctx->local_port == refused_port ? SK_DROP : SK_PASS;
}

SEC("sk_lookup")
int pass(struct bpf_sk_lookup *ctx)
{
	(void)ctx;
	return SK_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
