/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What app_outbound and app_inbound are in an object: programs of their own in the node's, functions that observing
 * programs call in the shadow's (shadow.bpf.c, which says MILLRACE_SHADOW).
 */
#ifndef MILLRACE_TC_PROGRAM_H
#define MILLRACE_TC_PROGRAM_H

#ifdef MILLRACE_SHADOW
#define TC_PROGRAM static __always_inline
#else
#define TC_PROGRAM SEC("tc")
#endif

#endif
