/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maps of both objects. They are declared once, here, so that node.bpf.o and proxy.bpf.o agree and user space can hand
 * the node object's maps to every proxy object.
 */
#ifndef MILLRACE_SHARED_MAPS_H
#define MILLRACE_SHARED_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "layout.h"

/* Addresses of the node and of the proxies, to their ADDRESS_* flags. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct address);
	__type(value, __u32);
} addresses SEC(".maps");

/* How often each program came to each verdict. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PROGRAM_COUNT *VERDICT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* Whether a program on this CPU asks for the owner of a connection: see question.h. */
struct question {
	__u32 is_open;
	__u32 answer;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct question);
} questions SEC(".maps");

/* See events.h. As small as the kernel's page allows on all machines, and room for thousands of events. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct events_wanted);
} events_wanted SEC(".maps");

/*
 * With EVENTS_OF_SOME: the workloads that are asked for, by their addresses, from or to which a packet may be; and, as
 * some frames cannot be followed to any, by the ifindex of their host veth, after twelve zeros.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct address);
	__type(value, __u32);
} events_of SEC(".maps");

/* Events that found no room, since the map was made. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} events_lost SEC(".maps");

/* ADDRESS_* flags of an address; 0: neither the node's nor a proxy's. */
static __always_inline __u32 address_flags(const struct address *address)
{
	__u32 *flags = bpf_map_lookup_elem(&addresses, address);

	return flags ? *flags : 0;
}

#endif
