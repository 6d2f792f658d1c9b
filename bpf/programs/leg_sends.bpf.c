/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sk_msg of the map `legs`: where what a leg sends goes. It runs with the sending socket's lock held, for everything that is
 * sent after the handshake (send, write, sendfile, splice).
 */

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "acceleration.h"

static __always_inline int by_tcp(struct leg_state *state, enum acceleration_count why)
{
	state->sends = SENDS_BY_TCP;
	count(why, 1);
	return SK_PASS;
}

SEC("sk_msg")
int leg_sends(struct sk_msg_md *msg)
{
	struct bpf_sock *sk = msg->sk;
	struct leg_state *state = sk ? bpf_sk_storage_get(&leg_states, sk, 0, 0) : 0;
	__u32 bytes = msg->size;

	if (!state || state->sends == SENDS_BY_TCP)
		return SK_PASS;
	if (state->sends == SENDS_NOTHING_YET && !bpf_map_lookup_elem(&namespaces, &state->other.member))
		return by_tcp(state, COUNT_TCP_ALONE);
	if (bpf_msg_redirect_hash(msg, &legs, &state->other, BPF_F_INGRESS) != SK_PASS)
		return by_tcp(state, state->sends == SENDS_REDIRECTED ? COUNT_TCP_ENDED : COUNT_TCP_ALONE);
	state->sends = SENDS_REDIRECTED;
	count(COUNT_REDIRECTED, 1);
	count(COUNT_REDIRECTED_BYTES, bytes);
	return SK_PASS;
}
