/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The object for a proxy's network namespace. */

#include "programs/ztunnel_lookup.bpf.c"
#include "programs/ztunnel_tproxy.bpf.c"

char _license[] SEC("license") = "Dual BSD/GPL";
