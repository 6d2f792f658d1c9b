/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are JSON or they are not; what is JSON can be walked through to its ends, and its compact form says the
 * same.
 */
#include "../src/json-check.h"
#include "../src/json-read.h"
#include "../src/json-string.h"
#include "../src/writer.h"
#include "check.h"

static unsigned int strings, leaves;

static void visit(struct slice value);

static void visit_string(struct slice string)
{
	static char text[1 << 16];
	char little[3];
	strings++;
	if (json_text(string, text, sizeof(text)))
		HOLDS(json_string_is(string, text));
	json_text(string, little, sizeof(little));
	HOLDS(strlen(little) < sizeof(little));
	/* What it says, written as JSON again, says the same. */
	static char again[6 * sizeof(text) + 2];
	struct writer out = { .buffer = again, .size = sizeof(again) };
	write_string(&out, slice_of(text));
	struct slice checked;
	struct json_fault fault;
	HOLDS(!out.full && json_check(written(&out), &checked, &fault));
	HOLDS(json_string_is(checked, text));
}

static void visit_object(struct slice object)
{
	struct json_walk walk = json_walk(object);
	struct slice key, value, found;
	while (json_next_member(&walk, &key, &value)) {
		static char name[1 << 16];
		HOLDS(json_kind(key) == JSON_STRING);
		if (json_text(key, name, sizeof(name)))
			HOLDS(json_find(object, name, &found));
		visit_string(key);
		visit(value);
	}
	HOLDS(walk.at == walk.end);
}

static void visit(struct slice value)
{
	struct slice element;
	struct json_walk walk = json_walk(value);
	unsigned int number;
	switch (json_kind(value)) {
	case JSON_OBJECT:
		return visit_object(value);
	case JSON_ARRAY:
		while (json_next_element(&walk, &element))
			visit(element);
		HOLDS(walk.at == walk.end);
		return;
	case JSON_STRING:
		return visit_string(value);
	case JSON_NUMBER:
		if (json_whole_number(value, 1, 300, &number))
			HOLDS(number >= 1 && number <= 300);
		/* fall through */
	case JSON_BOOLEAN:
	case JSON_NULL:
		leaves++;
		HOLDS(value.length > 0 && !json_next_element(&walk, &element));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = copy_of(data, size), value, same;
	struct json_fault fault;
	if (json_check(text, &value, &fault)) {
		strings = leaves = 0;
		visit(value);
		unsigned int all_strings = strings, all_leaves = leaves;

		char *buffer = malloc(value.length);
		struct writer out = { .buffer = buffer, .size = value.length };
		write_compact(&out, value);
		HOLDS(!out.full && !memchr(buffer, '\n', out.length));
		HOLDS(json_check(written(&out), &same, &fault) && same.length == out.length);
		strings = leaves = 0;
		visit(same);
		HOLDS(strings == all_strings && leaves == all_leaves);
		free(buffer);
	} else {
		HOLDS(fault.what && fault.offset <= size);
	}
	free((char *)text.at);
	return 0;
}
