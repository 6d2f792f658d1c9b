/* SPDX-License-Identifier: Apache-2.0 */
/* A part of a text that somebody else holds: nothing in this program copies or frees what it reads. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *at;
	size_t length;
};

static inline struct slice slice_of(const char *text)
{
	return (struct slice){ .at = text, .length = strlen(text) };
}

static inline bool slice_equals(struct slice a, struct slice b)
{
	return a.length == b.length && memcmp(a.at, b.at, a.length) == 0;
}

static inline bool slice_starts_with(struct slice text, struct slice prefix)
{
	return text.length >= prefix.length && memcmp(text.at, prefix.at, prefix.length) == 0;
}
