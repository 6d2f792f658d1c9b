/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading checked JSON without taking it apart: a value is the slice of the text that spells it, so handing it on
 * hands on its very bytes. A `value` here always is one that json_check() has passed, or a part of one.
 */
#pragma once

#include "slice.h"

enum json_kind { JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_BOOLEAN, JSON_NULL };

enum json_kind json_kind(struct slice value);

/* Where a walk through an object or an array stands. */
struct json_walk {
	const char *at;
	const char *end;
};

/* Begins a walk; of what is neither object nor array, there is nothing to walk through. */
struct json_walk json_walk(struct slice value);
bool json_next_member(struct json_walk *walk, struct slice *key, struct slice *value);
bool json_next_element(struct json_walk *walk, struct slice *value);

/*
 * The member of that name. Of several the last counts, as in encoding/json of Go, which the container runtimes read
 * with, and in JSON.parse, which the agent reads with. A member that is null is there.
 */
bool json_find(struct slice object, const char *key, struct slice *value);

bool json_is_true(struct slice value);

/* A number spelled with digits only, from `least` to `most`. */
bool json_whole_number(struct slice value, unsigned int least, unsigned int most, unsigned int *number);
