/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sk_lookup of a proxy's network namespace: which listener a packet without a connection is for. Unlike bpf_sk_assign()
 * in tc it has a say in every such search: a SYN that finds its ports in TIME_WAIT, the ACK of a SYN cookie.
 * After the choice the kernel still picks among the sockets of a SO_REUSEPORT group (net/ipv4/inet_hashtables.c).
 */

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"
#include "layout.h"
#include "proxy-maps.h"
#include "question.h"
#include "shared-maps.h"
#include "unanswered.h"
#include "verdict.h"

#define FAMILY_IPV4 2 /* AF_INET, AF_INET6: the uapi headers leave them to libc */
#define FAMILY_IPV6 10

/* clang merges loads of the context across branches into one at a computed address, which the verifier refuses. */
#define LOAD(field)                                                                                                    \
	({                                                                                                             \
		__u32 value = (field);                                                                                 \
		asm volatile("" : "+r"(value));                                                                        \
		value;                                                                                                 \
	})

static __always_inline void read_flow(struct bpf_sk_lookup *ctx, struct flow *flow)
{
	__be32 *remote = words(&flow->source), *local = words(&flow->destination);

	if (ctx->family == FAMILY_IPV4) {
		set_ipv4(&flow->source, LOAD(ctx->remote_ip4));
		set_ipv4(&flow->destination, LOAD(ctx->local_ip4));
	} else {
		remote[0] = LOAD(ctx->remote_ip6[0]);
		remote[1] = LOAD(ctx->remote_ip6[1]);
		remote[2] = LOAD(ctx->remote_ip6[2]);
		remote[3] = LOAD(ctx->remote_ip6[3]);
		local[0] = LOAD(ctx->local_ip6[0]);
		local[1] = LOAD(ctx->local_ip6[1]);
		local[2] = LOAD(ctx->local_ip6[2]);
		local[3] = LOAD(ctx->local_ip6[3]);
	}
	flow->source_port = ctx->remote_port;
	flow->destination_port = bpf_htons(ctx->local_port);
}

/* Addresses whose listeners are found as always. Packets to any other are here only because we redirected them. */
static __always_inline bool is_own(struct address *address)
{
	__be32 *word = words(address);

	if (word[0] == 0 && word[1] == 0) {
		if (word[2] == 0 && word[3] == bpf_htonl(1)) /* ::1 */
			return true;
		if (word[2] == bpf_htonl(0xffff) && address->bytes[12] == 127) /* 127.0.0.0/8 */
			return true;
	}
	if ((word[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000)) /* fe80::/10 */
		return true;
	return address_flags(address) & ADDRESS_PROXY;
}

/* Returns false if the proxy does not listen there. */
static __always_inline bool assign(struct bpf_sk_lookup *ctx, __u32 direction)
{
	bool is_ipv6 = ctx->family == FAMILY_IPV6;
	__u32 index = LISTENER_INDEX(direction, is_ipv6);
	struct bpf_sock *sk = bpf_map_lookup_elem(&listeners, &index);
	bool is_assigned;

	if (!sk && !is_ipv6) {
		/* A dual-stack listener known from IPv6 takes IPv4 too; bpf_sk_assign() refuses any other. */
		index = LISTENER_INDEX(direction, true);
		sk = bpf_map_lookup_elem(&listeners, &index);
	}
	if (!sk)
		return false;
	is_assigned = sk->state == BPF_TCP_LISTEN && bpf_sk_assign(ctx, sk, 0) == 0;
	bpf_sk_release(sk);
	return is_assigned;
}

SEC("sk_lookup")
int ztunnel_lookup(struct bpf_sk_lookup *ctx)
{
	const enum program self = PROGRAM_ZTUNNEL_LOOKUP;
	struct flow flow;
	__u32 *direction;

	if (is_asking())
		return SK_PASS;
	if (ctx->protocol != IPPROTO_TCP)
		goto not_ours;
	read_flow(ctx, &flow);
	direction = bpf_map_lookup_elem(&flows, &flow);
	if (direction) {
		if (assign(ctx, *direction)) {
			count(self, VERDICT_CAPTURED);
			return SK_PASS;
		}
		note_unanswered(ctx->family == FAMILY_IPV6);
		count(self, VERDICT_DROPPED_NO_LISTENER);
		tell_lookup(&flow, VERDICT_DROPPED_NO_LISTENER);
		return SK_DROP;
	}
	if (is_own(&flow.destination))
		goto not_ours;
	/*
	 * Redirected, but of no connection that this proxy knows. A transparent listener lets the stack answer with RST
	 * from an address that is not its own (net/ipv4/tcp_ipv4.c, tcp_v4_send_reset()); without one see unanswered.h.
	 * The inbound one, because there the proxy checks that the destination is a workload of its node.
	 */
	if (assign(ctx, DIRECTION_INBOUND)) {
		count(self, VERDICT_REFUSED_ORPHAN);
		tell_lookup(&flow, VERDICT_REFUSED_ORPHAN);
		return SK_PASS;
	}
	note_unanswered(ctx->family == FAMILY_IPV6);
not_ours:
	count(self, VERDICT_PASSED);
	return SK_PASS;
}
