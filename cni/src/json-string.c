/* SPDX-License-Identifier: Apache-2.0 */
#include "json-string.h"
#include "utf8.h"

static uint32_t hex4(const char *at)
{
	uint32_t unit = 0;
	for (int i = 0; i < 4; i++) {
		char c = at[i];
		unit = unit << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return unit;
}

static bool is_high(uint32_t unit)
{
	return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low(uint32_t unit)
{
	return unit >= 0xDC00 && unit <= 0xDFFF;
}

/*
 * Decodes \uXXXX, and a second one when both make a pair (RFC 8259, section 7). A lone surrogate comes out as U+FFFD.
 */
static size_t decode_unicode(const char **at, const char *end, char out[4])
{
	uint32_t unit = hex4(*at + 2);
	*at += 6;
	if (is_high(unit) && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
		uint32_t low = hex4(*at + 2);
		if (is_low(low)) {
			unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
			*at += 6;
		}
	}
	return utf8_encode(unit, out);
}

/* The next character of a string's inside, as UTF-8; its length, 1 to 4. */
static size_t next(const char **at, const char *end, char out[4])
{
	if (**at != '\\') {
		size_t length = utf8_length(*at, end);
		memcpy(out, *at, length);
		*at += length;
		return length;
	}
	static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *escape = strchr(escapes, (*at)[1]);
	if (!escape)
		return decode_unicode(at, end, out);
	out[0] = meanings[escape - escapes];
	*at += 2;
	return 1;
}

bool json_string_equals(struct slice string, struct slice text)
{
	const char *at = string.at + 1, *end = string.at + string.length - 1;
	char character[4];
	while (at < end) {
		size_t length = next(&at, end, character);
		if (text.length < length || memcmp(text.at, character, length) != 0)
			return false;
		text.at += length;
		text.length -= length;
	}
	return text.length == 0;
}

bool json_string_is(struct slice string, const char *text)
{
	return json_string_equals(string, slice_of(text));
}

bool json_text(struct slice string, char *out, size_t size)
{
	const char *at = string.at + 1, *end = string.at + string.length - 1;
	char character[4];
	size_t used = 0;
	bool whole = true;
	while (at < end) {
		size_t length = next(&at, end, character);
		if (used + length >= size) {
			whole = false;
			break;
		}
		if (character[0] == '\0')
			whole = false;
		memcpy(out + used, character, length);
		used += length;
	}
	out[used] = '\0';
	return whole;
}
