// SPDX-License-Identifier: Apache-2.0
/*
 * libbpf prints through one callback of the process. The text is kept per thread, because calls of worker threads and of
 * libuv's pool run at the same time, and cleared when a call starts, so an error carries its own text and nobody else's.
 */
#include "addon.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Kept between calls up to this size; a verifier log may have grown it to megabytes. */
#define KEEP_BYTES (64 * 1024)

static _Thread_local struct text current;
static _Thread_local bool keeps_verifier;

/* Of the words for debugging only the verifier's about a program that it let pass, and those only when they are wanted. */
static bool is_wanted(enum libbpf_print_level level, const char *fmt)
{
	return level != LIBBPF_DEBUG || (keeps_verifier && strstr(fmt, "-- BEGIN PROG LOAD LOG --"));
}

static int collect(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	va_list again;
	char *end;
	int n;

	if (!is_wanted(level, fmt))
		return 0;
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return n;
	end = text_reserve(&current, (size_t)n + 1);
	if (!end)
		return -1;
	vsnprintf(end, (size_t)n + 1, fmt, ap);
	current.len += n;
	return n;
}

void log_install(void)
{
	libbpf_set_print(collect);
}

void log_keep_verifier(bool on)
{
	keeps_verifier = on;
}

void log_reset(void)
{
	if (current.cap > KEEP_BYTES)
		text_free(&current);
	current.len = 0;
}

const struct text *log_current(void)
{
	return &current;
}

void log_release(void)
{
	text_free(&current);
}
