/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * setsockopt of the cgroups that members and proxies are in: no kTLS on a leg. The kernel would redirect what is not encrypted
 * yet (net/tls/tls_sw.c, bpf_exec_tx_verdict()), and take for decrypted what was redirected to it. Who asks is told what a
 * kernel without the module tells, and encrypts by itself.
 */

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/tcp.h>

#include <bpf/bpf_helpers.h>

#include "acceleration.h"

#define NO_SUCH_ULP (-2) /* ENOENT, net/ipv4/tcp_ulp.c */
#define LARGEST_OPTION 4096

SEC("cgroup/setsockopt")
int leg_option(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	if (ctx->level == IPPROTO_TCP && ctx->optname == TCP_ULP && sk && bpf_sk_storage_get(&leg_states, sk, 0, 0)) {
		count(COUNT_REFUSED_ULP, 1);
		bpf_set_retval(NO_SUCH_ULP);
		return 0;
	}
	/* Only a page of a larger one is copied for programs; 0: the kernel takes what the process gave. */
	if (ctx->optlen > LARGEST_OPTION)
		ctx->optlen = 0;
	return 1;
}
