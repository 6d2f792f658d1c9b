// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A value with every kind of member that a codec has to know. The compiler decides where they are; user space must agree. */
#include "bpf.h"

#include <linux/pkt_cls.h>
#include <linux/types.h>

enum colour {
	RED = 1,
	GREEN = 5,
};

enum depth {
	BELOW = -2,
	ABOVE = 3,
};

struct point {
	__s16 x;
	__s16 y;
};

struct everything {
	__u8 a_u8;
	__s8 an_s8;
	__u16 a_u16;
	__s16 an_s16;
	__u32 a_u32;
	__s32 an_s32;
	__u64 a_u64;
	__s64 an_s64;
	_Bool yes;
	enum colour colour;
	enum depth depth;
	__be16 port;
	__be32 address;
	__be64 cookie;
	char name[8];
	__u8 bytes[3];
	__u16 numbers[3];
	struct point points[2];
	__u32 low : 3;
	__u32 high : 5;
	__u32 wide : 20;
	__s32 negative : 4;
	__u32 : 0;
	__u32 odd : 6;
	__u32 across : 12; /* of three bytes */
	union {
		__u32 word;
		__u8 octets[4];
	};
	union {
		__u64 number;
		struct point point;
	} either;
	struct {
		__u8 inner;
	};
	double real;
	__u64 last;
};

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(max_entries, 4);
	TYPE(key, struct point);
	TYPE(value, struct everything);
} things SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_HASH);
	UINT(max_entries, 4);
	TYPE(key, __u32);
	TYPE(value, struct point);
} places SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_HASH);
	UINT(max_entries, 4);
	UINT(key_size, 4);
	UINT(value_size, 4);
} untyped SEC(".maps");

const volatile __u32 limit = 7;
const volatile struct point origin = { 1, 2 };
__u64 total = 3;

#define NUMBER 0x0102030405060708ull

/* Writes what a test reads. */
SEC("tc")
int fill(struct __sk_buff *skb)
{
	struct point key = { -1, 2 };
	struct everything *e = map_lookup(&things, &key);

	(void)skb;
	map_lookup(&untyped, &key);
	map_lookup(&places, &key);
	total += limit + origin.x;
	if (!e)
		return 1;
	e->a_u8 = 200;
	e->an_s8 = -100;
	e->a_u16 = 50000;
	e->an_s16 = -30000;
	e->a_u32 = 4000000000;
	e->an_s32 = -2000000000;
	e->a_u64 = NUMBER;
	e->an_s64 = -5;
	e->yes = 1;
	e->colour = GREEN;
	e->depth = BELOW;
	e->port = __builtin_bswap16(15001);
	e->address = __builtin_bswap32(0xc6120001);
	e->cookie = __builtin_bswap64(NUMBER);
	__builtin_memcpy(e->name, "h\xc3\xb6he", 6);
	e->bytes[2] = 9;
	e->numbers[1] = 515;
	e->points[1].y = -7;
	e->low = 5;
	e->high = 17;
	e->wide = 0xabcde;
	e->negative = -3;
	e->odd = 33;
	e->across = 0xabc;
	e->octets[1] = 1;
	e->either.point.y = 4;
	e->inner = 77;
	*(__u64 *)&e->real = 0x3ff8000000000000ull; /* 1.5: BPF has no floating point */
	e->last = 1;
	return 0;
}

#define EXPECT(condition)                                                                                              \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			return __LINE__;                                                                               \
	} while (0)

/* Reads what a test wrote: 0, or the line of what is not as expected. */
SEC("tc")
int check(struct __sk_buff *skb)
{
	struct point key = { -1, 2 };
	struct everything *e = map_lookup(&things, &key);

	(void)skb;
	if (!e)
		return 1;
	EXPECT(e->a_u8 == 200);
	EXPECT(e->an_s8 == -100);
	EXPECT(e->a_u16 == 50000);
	EXPECT(e->an_s16 == -30000);
	EXPECT(e->a_u32 == 4000000000);
	EXPECT(e->an_s32 == -2000000000);
	EXPECT(e->a_u64 == NUMBER);
	EXPECT(e->an_s64 == -5);
	EXPECT(e->yes);
	EXPECT(e->colour == GREEN);
	EXPECT(e->depth == BELOW);
	EXPECT(e->port == __builtin_bswap16(15001));
	EXPECT(e->address == __builtin_bswap32(0xc6120001));
	EXPECT(e->cookie == __builtin_bswap64(NUMBER));
	EXPECT(e->name[0] == 'h' && e->name[2] == '\xb6' && e->name[4] == 'e' && !e->name[5]);
	EXPECT(!e->bytes[0] && e->bytes[2] == 9);
	EXPECT(!e->numbers[0] && e->numbers[1] == 515);
	EXPECT(!e->points[1].x && e->points[1].y == -7);
	EXPECT(e->low == 5);
	EXPECT(e->high == 17);
	EXPECT(e->wide == 0xabcde);
	EXPECT(e->negative == -3);
	EXPECT(e->odd == 33);
	EXPECT(e->across == 0xabc);
	EXPECT(e->word == 256);
	EXPECT(e->either.number == 4 << 16);
	EXPECT(e->inner == 77);
	EXPECT(*(__u64 *)&e->real == 0x3ff8000000000000ull);
	EXPECT(e->last == 1);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
