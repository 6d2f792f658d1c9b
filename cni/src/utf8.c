/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

/* RFC 3629, section 4: which second bytes may follow a first byte; all bytes after that are 80 to BF. */
static const struct sequence {
	unsigned char first_from, first_to, second_from, second_to;
	size_t length;
} sequences[] = {
	{ 0xC2, 0xDF, 0x80, 0xBF, 2 }, { 0xE0, 0xE0, 0xA0, 0xBF, 3 }, { 0xE1, 0xEC, 0x80, 0xBF, 3 },
	{ 0xED, 0xED, 0x80, 0x9F, 3 }, { 0xEE, 0xEF, 0x80, 0xBF, 3 }, { 0xF0, 0xF0, 0x90, 0xBF, 4 },
	{ 0xF1, 0xF3, 0x80, 0xBF, 4 }, { 0xF4, 0xF4, 0x80, 0x8F, 4 },
};

size_t utf8_length(const char *at, const char *end)
{
	if (at == end)
		return 0;
	const unsigned char *bytes = (const unsigned char *)at;
	if (bytes[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
		const struct sequence *s = &sequences[i];
		if (bytes[0] < s->first_from || bytes[0] > s->first_to)
			continue;
		if ((size_t)(end - at) < s->length || bytes[1] < s->second_from || bytes[1] > s->second_to)
			return 0;
		for (size_t k = 2; k < s->length; k++) {
			if ((bytes[k] & 0xC0) != 0x80)
				return 0;
		}
		return s->length;
	}
	return 0;
}

size_t utf8_encode(uint32_t code_point, char out[4])
{
	if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF))
		code_point = 0xFFFD;
	if (code_point < 0x80) {
		out[0] = (char)code_point;
		return 1;
	}
	if (code_point < 0x800) {
		out[0] = (char)(0xC0 | code_point >> 6);
		out[1] = (char)(0x80 | (code_point & 0x3F));
		return 2;
	}
	if (code_point < 0x10000) {
		out[0] = (char)(0xE0 | code_point >> 12);
		out[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
		out[2] = (char)(0x80 | (code_point & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | code_point >> 18);
	out[1] = (char)(0x80 | (code_point >> 12 & 0x3F));
	out[2] = (char)(0x80 | (code_point >> 6 & 0x3F));
	out[3] = (char)(0x80 | (code_point & 0x3F));
	return 4;
}
