/* SPDX-License-Identifier: Apache-2.0 */
#include "writer.h"
#include "utf8.h"
#include <stdio.h>

void write_slice(struct writer *writer, struct slice text)
{
	if (writer->full || text.length > writer->size - writer->length) {
		writer->full = true;
		return;
	}
	memcpy(writer->buffer + writer->length, text.at, text.length);
	writer->length += text.length;
}

void write_text(struct writer *writer, const char *text)
{
	write_slice(writer, slice_of(text));
}

void write_number(struct writer *writer, unsigned int number)
{
	char digits[12];
	snprintf(digits, sizeof(digits), "%u", number);
	write_text(writer, digits);
}

static void write_character(struct writer *writer, struct slice character)
{
	char escaped[8];
	switch (*character.at) {
	case '"':
		return write_text(writer, "\\\"");
	case '\\':
		return write_text(writer, "\\\\");
	case '\n':
		return write_text(writer, "\\n");
	default:
		if ((unsigned char)*character.at >= 0x20)
			return write_slice(writer, character);
		snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned int)*character.at);
		write_text(writer, escaped);
	}
}

void write_string(struct writer *writer, struct slice text)
{
	const char *at = text.at, *end = text.at + text.length;
	write_text(writer, "\"");
	while (at < end) {
		size_t length = utf8_length(at, end);
		if (length)
			write_character(writer, (struct slice){ .at = at, .length = length });
		else
			write_text(writer, "\\ufffd");
		at += length ? length : 1;
	}
	write_text(writer, "\"");
}

void write_compact(struct writer *writer, struct slice value)
{
	const char *at = value.at, *end = value.at + value.length;
	bool within_string = false;
	while (at < end) {
		/* A run of bytes that all stay, copied at once. */
		const char *from = at;
		for (; at < end; at++) {
			if (within_string && *at == '\\')
				at++;
			else if (*at == '"')
				within_string = !within_string;
			else if (!within_string && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
				break;
		}
		write_slice(writer, (struct slice){ .at = from, .length = (size_t)(at - from) });
		if (at < end)
			at++;
	}
}

struct slice written(const struct writer *writer)
{
	return (struct slice){ .at = writer->buffer, .length = writer->length };
}
