/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The object of the acceleration, which is loaded only where it is configured: programs on sockets, and none on packets. */

#include "programs/leg_opened.bpf.c"
#include "programs/leg_option.bpf.c"
#include "programs/leg_sends.bpf.c"

char _license[] SEC("license") = "Dual BSD/GPL";
