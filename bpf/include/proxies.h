/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The choice of the proxy, as user space made it. */
#ifndef MILLRACE_PROXIES_H
#define MILLRACE_PROXIES_H

#include <stdbool.h>

#include "layout.h"
#include "node-maps.h"

static __always_inline struct settings read_settings(void)
{
	union {
		__u64 word;
		struct settings settings;
	} value = { .word = 0 };
	__u32 key = 0;
	void *found = bpf_map_lookup_elem(&settings, &key);

	/* One load: see struct settings. */
	if (found)
		value.word = *(volatile __u64 *)found;
	return value.settings;
}

/* The proxy in a slot; NULL: the slot is free. */
static __always_inline struct proxy *proxy_in(__u32 slot)
{
	struct proxy *proxy = bpf_map_lookup_elem(&proxies, &slot);

	return proxy && proxy->ifindex ? proxy : NULL;
}

static __always_inline struct proxy *active_proxy(const struct settings *settings)
{
	return settings->active ? proxy_in(settings->active - 1) : NULL;
}

static __always_inline bool is_draining(const struct settings *settings, __u32 slot)
{
	return (settings->draining >> slot) & 1;
}

/* Whether the host veth `ifindex` is that of the active or of a draining proxy. */
static __always_inline bool is_proxy_interface(const struct settings *settings, __u32 ifindex)
{
	struct proxy *proxy = active_proxy(settings);

	if (!ifindex)
		return false;
	if (proxy && proxy->ifindex == ifindex)
		return true;
	if (!settings->draining)
		return false;
	for (__u32 slot = 0; slot < MAX_PROXIES; slot++) {
		if (!is_draining(settings, slot))
			continue;
		proxy = proxy_in(slot);
		if (proxy && proxy->ifindex == ifindex)
			return true;
	}
	return false;
}

#endif
