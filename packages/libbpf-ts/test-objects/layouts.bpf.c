// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Maps of one size whose values are laid out differently: which of them may stand in for which? */
#include "bpf.h"

#include <linux/pkt_cls.h>
#include <linux/types.h>

struct old {
	__u32 ifindex;
	__u8 mac[6];
	__u8 reserved[2];
	union {
		__u64 both;
		struct {
			__u32 low;
			__u32 up;
		} halves;
	};
};

/* Uses what was reserved. */
struct grown {
	__u32 ifindex;
	__u8 mac[6];
	__u8 flags;
	__u8 reserved;
	union {
		__u64 both;
		struct {
			__u32 low;
			__u32 up;
		} halves;
	};
};

struct moved {
	__u8 mac[6];
	__u8 reserved[2];
	__u32 ifindex;
	__u64 both; /* behind a gap */
};

struct renamed {
	__u32 index;
	__u8 mac[6];
	__u8 reserved[2];
	__u64 both;
};

struct retyped {
	__be32 ifindex;
	__u8 mac[6];
	__u8 reserved[2];
	__s64 both;
};

#define MAP(name, key_type, value_type)                                                                                \
	struct {                                                                                                       \
		UINT(type, BPF_MAP_TYPE_HASH);                                                                         \
		UINT(max_entries, 4);                                                                                  \
		TYPE(key, key_type);                                                                                   \
		TYPE(value, value_type);                                                                               \
	} name SEC(".maps")

MAP(old, __u32, struct old);
MAP(grown, __u32, struct grown);
MAP(moved, __u32, struct moved);
MAP(renamed, __u32, struct renamed);
MAP(retyped, __u32, struct retyped);
MAP(other_key, __be32, struct old);

/* Of the size of the others. */
struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(max_entries, 4);
	UINT(key_size, 4);
	UINT(value_size, sizeof(struct old));
} sizes SEC(".maps");

SEC("tc")
int use(struct __sk_buff *skb)
{
	__u32 key = skb->len;

	map_lookup(&old, &key);
	map_lookup(&grown, &key);
	map_lookup(&moved, &key);
	map_lookup(&renamed, &key);
	map_lookup(&retyped, &key);
	map_lookup(&other_key, &key);
	map_lookup(&sizes, &key);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
