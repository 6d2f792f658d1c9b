/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers share. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../src/slice.h"

/* libFuzzer calls this with each input: https://llvm.org/docs/LibFuzzer.html */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that does not hold ends the run as a crash does, with the input that showed it. */
#define HOLDS(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                 \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

/*
 * A copy that ends where its memory ends, so that the address sanitizer sees a byte that is read too far; libFuzzer's
 * own buffer may be part of a larger one. Freed by the caller.
 */
static inline struct slice copy_of(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	HOLDS(copy);
	if (size)
		memcpy(copy, data, size);
	return (struct slice){ .at = copy, .length = size };
}
