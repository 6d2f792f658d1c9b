/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Maps of the programs in a proxy's network namespace: each proxy has its own. */
#ifndef MILLRACE_PROXY_MAPS_H
#define MILLRACE_PROXY_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "layout.h"

/* Redirected connections, to the enum direction they came from. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow);
	__type(value, __u32);
} flows SEC(".maps");

/*
 * The proxy's listening sockets by LISTENER_INDEX(), found by ztunnel_tproxy. The kernel removes a socket that closes,
 * so that no file descriptor of the proxy is needed and a restarted proxy is found anew.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, LISTENER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} listeners SEC(".maps");

/*
 * Until when (CLOCK_MONOTONIC) redirected packets of no connection are looked for; 0: they are not. By 1 for IPv6, 0 for
 * IPv4. See unanswered.h.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} unanswered SEC(".maps");

#endif
