/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The object of a shadow: programs on the host ends of the members' veths that count what app_outbound and app_inbound
 * would do with each packet, and let every packet go on as if they were not there.
 */
#define MILLRACE_SHADOW

#include <stdbool.h>

#include "shadow.h"

#include "programs/shadow_inbound.bpf.c"
#include "programs/shadow_outbound.bpf.c"

char _license[] SEC("license") = "Dual BSD/GPL";
