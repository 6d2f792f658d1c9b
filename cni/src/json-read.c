/* SPDX-License-Identifier: Apache-2.0 */
#include "json-read.h"
#include "json-string.h"

enum json_kind json_kind(struct slice value)
{
	switch (value.at[0]) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
	case 'f':
		return JSON_BOOLEAN;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

/* All that may stand between two values of a checked text. */
static bool is_between(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ':';
}

static const char *after_string(const char *at)
{
	for (at++; *at != '"'; at++) {
		if (*at == '\\')
			at++;
	}
	return at + 1;
}

static const char *after_brackets(const char *at)
{
	unsigned int depth = 0;
	do {
		if (*at == '"') {
			at = after_string(at);
			continue;
		}
		if (*at == '{' || *at == '[')
			depth++;
		else if (*at == '}' || *at == ']')
			depth--;
		at++;
	} while (depth > 0);
	return at;
}

static const char *after_value(const char *at, const char *end)
{
	if (*at == '"')
		return after_string(at);
	if (*at == '{' || *at == '[')
		return after_brackets(at);
	while (at < end && !is_between(*at))
		at++;
	return at;
}

struct json_walk json_walk(struct slice value)
{
	enum json_kind kind = json_kind(value);
	if (kind != JSON_OBJECT && kind != JSON_ARRAY)
		return (struct json_walk){ .at = value.at, .end = value.at };
	return (struct json_walk){ .at = value.at + 1, .end = value.at + value.length - 1 };
}

bool json_next_element(struct json_walk *walk, struct slice *value)
{
	while (walk->at < walk->end && is_between(*walk->at))
		walk->at++;
	if (walk->at == walk->end)
		return false;
	const char *after = after_value(walk->at, walk->end);
	*value = (struct slice){ .at = walk->at, .length = (size_t)(after - walk->at) };
	walk->at = after;
	return true;
}

bool json_next_member(struct json_walk *walk, struct slice *key, struct slice *value)
{
	return json_next_element(walk, key) && json_next_element(walk, value);
}

bool json_find(struct slice object, const char *name, struct slice *value)
{
	if (json_kind(object) != JSON_OBJECT)
		return false;
	bool found = false;
	struct json_walk walk = json_walk(object);
	struct slice key, candidate;
	while (json_next_member(&walk, &key, &candidate)) {
		if (!json_string_is(key, name))
			continue;
		*value = candidate;
		found = true;
	}
	return found;
}

bool json_is_true(struct slice value)
{
	return json_kind(value) == JSON_BOOLEAN && value.at[0] == 't';
}

bool json_whole_number(struct slice value, unsigned int least, unsigned int most, unsigned int *number)
{
	unsigned long long sum = 0;
	for (size_t i = 0; i < value.length; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return false;
		sum = sum * 10 + (unsigned int)(value.at[i] - '0');
		if (sum > most)
			return false;
	}
	*number = (unsigned int)sum;
	return sum >= least;
}
