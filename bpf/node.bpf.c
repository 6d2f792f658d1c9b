/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The object for the node's network namespace: the programs on the host ends of the members' and the proxies' veths. */

#include "programs/app_inbound.bpf.c"
#include "programs/app_outbound.bpf.c"
#include "programs/ztunnel_host_in.bpf.c"

char _license[] SEC("license") = "Dual BSD/GPL";
