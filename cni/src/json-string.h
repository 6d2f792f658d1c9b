/* SPDX-License-Identifier: Apache-2.0 */
/* What a JSON string says, its escapes undone. A `string` here is a checked JSON string with its quotes. */
#pragma once

#include "slice.h"

/* Compares what the string says: the key "\u006eame" is "name". */
bool json_string_is(struct slice string, const char *text);
bool json_string_equals(struct slice string, struct slice text);

/*
 * Writes what the string says to `out`, cut to `size` bytes with the NUL that ends it. True when all of it is there:
 * nothing was cut, and it holds no NUL itself.
 */
bool json_text(struct slice string, char *out, size_t size);
