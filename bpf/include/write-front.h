/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing a frame's first bytes, its MAC addresses, in place: beside bpf_skb_store_bytes() that costs nothing. Of a frame
 * whose head it shares with others the kernel makes a copy before the program begins; where it has no memory for that it
 * drops the frame, and no program of ours gets to count it (net/core/filter.c, bpf_unclone_prologue()).
 */
#ifndef MILLRACE_WRITE_FRONT_H
#define MILLRACE_WRITE_FRONT_H

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* Where the frame begins; NULL: fewer than so many bytes are in its head, or it is not to be written. */
static __always_inline void *front(struct __sk_buff *skb, const __u32 bytes)
{
#ifdef MILLRACE_SHADOW
	(void)skb;
	(void)bytes;
	return NULL;
#else
	void *place = (void *)(long)skb->data;

	return place + bytes <= (void *)(long)skb->data_end ? place : NULL;
#endif
}

/* False: a helper failed. `bytes` is constant. */
static __always_inline bool write_front(struct __sk_buff *skb, const void *from, const __u32 bytes)
{
	void *place = front(skb, bytes);

	if (!place)
		return bpf_skb_store_bytes(skb, 0, from, bytes, 0) == 0;
	/* A frame begins NET_IP_ALIGN before a word: by half-words, which every machine can write there. */
	__builtin_memcpy(__builtin_assume_aligned(place, 2), from, bytes);
	return true;
}

#endif
