// SPDX-License-Identifier: Apache-2.0
#include "addon.h"

#include <stdlib.h>
#include <string.h>

char *text_reserve(struct text *t, size_t extra)
{
	size_t need = t->len + extra;
	size_t cap = t->cap ? t->cap : 256;
	char *data;

	if (need <= t->cap)
		return t->data + t->len;
	while (cap < need)
		cap *= 2;
	data = realloc(t->data, cap);
	if (!data)
		return NULL;
	t->data = data;
	t->cap = cap;
	return t->data + t->len;
}

void text_copy(struct text *to, const struct text *from)
{
	char *end = text_reserve(to, from->len);

	if (!end)
		return;
	memcpy(end, from->data, from->len);
	to->len += from->len;
}

void text_free(struct text *t)
{
	free(t->data);
	*t = (struct text){ 0 };
}
