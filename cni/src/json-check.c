/* SPDX-License-Identifier: Apache-2.0 */
#include "json-check.h"
#include "utf8.h"

struct scanner {
	const char *at;
	const char *end;
	unsigned int depth;
	const char *fault; /* NULL while all is well */
};

static bool value(struct scanner *s);

static bool refuse(struct scanner *s, const char *what)
{
	s->fault = what;
	return false;
}

static bool ahead(const struct scanner *s, char c)
{
	return s->at < s->end && *s->at == c;
}

static bool take(struct scanner *s, char c)
{
	if (!ahead(s, c))
		return false;
	s->at++;
	return true;
}

static bool is_digit(const struct scanner *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static bool is_hex(const struct scanner *s)
{
	return is_digit(s) ||
	       (s->at < s->end && ((*s->at >= 'a' && *s->at <= 'f') || (*s->at >= 'A' && *s->at <= 'F')));
}

static void space(struct scanner *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

static bool escape(struct scanner *s)
{
	if (s->at == s->end)
		return refuse(s, "the text ends within a string");
	if (take(s, 'u')) {
		for (int i = 0; i < 4; i++, s->at++) {
			if (!is_hex(s))
				return refuse(s, "\\u needs four hexadecimal digits");
		}
		return true;
	}
	if (!*s->at || !strchr("\"\\/bfnrt", *s->at))
		return refuse(s, "there is no such escape in JSON");
	s->at++;
	return true;
}

static bool string(struct scanner *s)
{
	if (!take(s, '"'))
		return refuse(s, "a string was expected");
	while (!take(s, '"')) {
		if (s->at == s->end)
			return refuse(s, "the text ends within a string");
		if ((unsigned char)*s->at < 0x20)
			return refuse(s, "a control character must be escaped");
		if (take(s, '\\')) {
			if (!escape(s))
				return false;
			continue;
		}
		size_t length = utf8_length(s->at, s->end);
		if (!length)
			return refuse(s, "a string is no UTF-8");
		s->at += length;
	}
	return true;
}

static bool digits(struct scanner *s)
{
	if (!is_digit(s))
		return refuse(s, "a digit was expected");
	while (is_digit(s))
		s->at++;
	return true;
}

static bool number(struct scanner *s)
{
	take(s, '-');
	if (!take(s, '0') && !digits(s))
		return false;
	if (take(s, '.') && !digits(s))
		return false;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+'))
			take(s, '-');
		return digits(s);
	}
	return true;
}

static bool literal(struct scanner *s, const char *text)
{
	size_t length = strlen(text);
	if ((size_t)(s->end - s->at) < length || memcmp(s->at, text, length) != 0)
		return refuse(s, "a value was expected");
	s->at += length;
	return true;
}

static bool member(struct scanner *s)
{
	space(s);
	if (!string(s))
		return false;
	space(s);
	if (!take(s, ':'))
		return refuse(s, "a colon was expected");
	return value(s);
}

/* What is between the brackets of an object or an array: `item`s with commas between them. */
static bool items(struct scanner *s, char close, bool (*item)(struct scanner *))
{
	if (++s->depth > JSON_MAX_DEPTH)
		return refuse(s, "the text is nested too deeply");
	space(s);
	if (!take(s, close)) {
		do {
			if (!item(s))
				return false;
			space(s);
		} while (take(s, ','));
		if (!take(s, close))
			return refuse(s, close == '}' ? "a comma or } was expected" : "a comma or ] was expected");
	}
	s->depth--;
	return true;
}

static bool value(struct scanner *s)
{
	space(s);
	if (s->at == s->end)
		return refuse(s, "the text ends where a value was expected");
	switch (*s->at) {
	case '{':
		s->at++;
		return items(s, '}', member);
	case '[':
		s->at++;
		return items(s, ']', value);
	case '"':
		return string(s);
	case 't':
		return literal(s, "true");
	case 'f':
		return literal(s, "false");
	case 'n':
		return literal(s, "null");
	default:
		if (*s->at != '-' && !is_digit(s))
			return refuse(s, "a value was expected");
		return number(s);
	}
}

bool json_check(struct slice text, struct slice *out, struct json_fault *fault)
{
	struct scanner s = { .at = text.at, .end = text.at + text.length };
	space(&s);
	const char *start = s.at;
	bool ok = value(&s);
	if (ok) {
		*out = (struct slice){ .at = start, .length = (size_t)(s.at - start) };
		space(&s);
		ok = s.at == s.end || refuse(&s, "something follows the value");
	}
	if (!ok)
		*fault = (struct json_fault){ .offset = (size_t)(s.at - text.at), .what = s.fault };
	return ok;
}
