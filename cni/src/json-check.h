/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a text one JSON value, by all of RFC 8259? Everything else that reads JSON here reads only what has passed this.
 */
#pragma once

#include "slice.h"

/*
 * Deepest nesting that is read. A CNI result nests three deep, a network configuration little more; the stack stays
 * small.
 */
#define JSON_MAX_DEPTH 64

struct json_fault {
	size_t offset; /* in bytes, from the start of the text */
	const char *what;
};

/* On success `value` is the value without the space around it; else `fault` says where and why. */
bool json_check(struct slice text, struct slice *value, struct json_fault *fault);
