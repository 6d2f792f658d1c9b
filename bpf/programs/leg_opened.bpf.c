/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sock_ops of the cgroups that members and proxies are in: makes their connections' ends known, before either can send a
 * byte, and notices when bytes go by TCP.
 */

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "acceleration.h"
#include "flow.h"

#define FAMILY_IPV4 2 /* AF_INET: the uapi headers leave it to libc */

/* clang merges loads of the context across branches into one at a computed address, which the verifier refuses. */
#define LOAD(field)                                                                                                    \
	({                                                                                                             \
		__u32 value = (field);                                                                                 \
		asm volatile("" : "+r"(value));                                                                        \
		value;                                                                                                 \
	})

static __always_inline void read_local(struct bpf_sock_ops *ctx, struct address *address)
{
	__be32 *word = words(address);

	if (ctx->family == FAMILY_IPV4) {
		set_ipv4(address, LOAD(ctx->local_ip4));
		return;
	}
	word[0] = LOAD(ctx->local_ip6[0]);
	word[1] = LOAD(ctx->local_ip6[1]);
	word[2] = LOAD(ctx->local_ip6[2]);
	word[3] = LOAD(ctx->local_ip6[3]);
}

static __always_inline void read_remote(struct bpf_sock_ops *ctx, struct address *address)
{
	__be32 *word = words(address);

	if (ctx->family == FAMILY_IPV4) {
		set_ipv4(address, LOAD(ctx->remote_ip4));
		return;
	}
	word[0] = LOAD(ctx->remote_ip6[0]);
	word[1] = LOAD(ctx->remote_ip6[1]);
	word[2] = LOAD(ctx->remote_ip6[2]);
	word[3] = LOAD(ctx->remote_ip6[3]);
}

/* Before the handshake is over neither end has sent a byte, but for TCP Fast Open. Returns false if it is no connection of ours. */
static __always_inline bool read_leg(struct bpf_sock_ops *ctx, struct leg *leg)
{
	__u64 cookie = bpf_get_netns_cookie(ctx);
	struct accelerated_namespace *namespace = bpf_map_lookup_elem(&namespaces, &cookie);
	__be16 local_port = bpf_htons(ctx->local_port), remote_port = bpf_htons(bpf_ntohl(ctx->remote_port));
	__u32 own_sequence = LOAD(ctx->snd_nxt), other_sequence = LOAD(ctx->rcv_nxt);
	__u64 *member;

	if (!namespace || ctx->data_segs_out > 0)
		return false;
	leg->side = namespace->side;
	if (namespace->side == SIDE_MEMBER) {
		read_local(ctx, &leg->member_address);
		read_remote(ctx, &leg->peer_address);
		leg->member = cookie;
		leg->member_port = local_port;
		leg->peer_port = remote_port;
		leg->member_sequence = own_sequence;
		leg->proxy_sequence = other_sequence;
		return true;
	}
	read_remote(ctx, &leg->member_address);
	read_local(ctx, &leg->peer_address);
	member = bpf_map_lookup_elem(&accelerated, &leg->member_address);
	if (!member)
		return false;
	leg->member = *member;
	leg->member_port = remote_port;
	leg->peer_port = local_port;
	leg->member_sequence = other_sequence;
	leg->proxy_sequence = own_sequence;
	return true;
}

static __always_inline void open_leg(struct bpf_sock_ops *ctx)
{
	struct leg_state fresh = { .sends = SENDS_NOTHING_YET };
	struct leg leg = {};
	struct bpf_sock *sk = ctx->sk;

	if (!sk || !read_leg(ctx, &leg))
		return;
	fresh.other = leg;
	fresh.other.side = leg.side == SIDE_MEMBER ? SIDE_PROXY : SIDE_MEMBER;
	/* The storage first: a socket of the map that has none would be sent to, and could have kTLS put on it. */
	if (!bpf_sk_storage_get(&leg_states, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE))
		goto refused;
	if (bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG))
		goto forget;
	if (bpf_sock_hash_update(ctx, &legs, &leg, BPF_NOEXIST))
		goto forget;
	count(COUNT_OPENED, 1);
	return;
forget:
	bpf_sk_storage_delete(&leg_states, sk);
refused:
	count(COUNT_NOT_OPENED, 1);
}

/*
 * Bytes are about to be put into TCP's queue (tcp_sendmsg() asks for the segment size, tcp_current_mss(), which asks for the
 * room of options). leg_sends has let them, or was never asked: a thread that had begun to send before the connection was
 * there goes on by TCP. Either way this leg redirects no more.
 */
static __always_inline void sends_by_tcp(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct leg_state *state;

	if (ctx->args[0] != BPF_WRITE_HDR_TCP_CURRENT_MSS || !sk)
		return;
	/* A FIN asks too, and nothing is sent after it. */
	if (ctx->state != BPF_TCP_ESTABLISHED && ctx->state != BPF_TCP_CLOSE_WAIT)
		return;
	state = bpf_sk_storage_get(&leg_states, sk, 0, 0);
	if (!state)
		return;
	if (state->sends != SENDS_BY_TCP) {
		state->sends = SENDS_BY_TCP;
		count(COUNT_TCP_BEFORE, 1);
	}
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags & ~BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG);
}

SEC("sockops")
int leg_opened(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		open_leg(ctx);
		break;
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		sends_by_tcp(ctx);
		break;
	}
	return 1;
}
