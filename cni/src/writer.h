/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON into a buffer of fixed size. Past its end nothing is written and `full` stays set: look at it once,
 * when done.
 */
#pragma once

#include "slice.h"

struct writer {
	char *buffer;
	size_t size;
	size_t length;
	bool full;
};

void write_slice(struct writer *writer, struct slice text);
void write_text(struct writer *writer, const char *text);
void write_number(struct writer *writer, unsigned int number);

/* A JSON string with its quotes. What is no UTF-8 (the environment may hold anything) becomes U+FFFD. */
void write_string(struct writer *writer, struct slice text);

/* A checked JSON value without the space between its tokens, so on one line; each token keeps its bytes. */
void write_compact(struct writer *writer, struct slice value);

struct slice written(const struct writer *writer);
