// SPDX-License-Identifier: Apache-2.0
#include "addon.h"

#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_ARGS 10

static const char *expected(char c)
{
	switch (c) {
	case 'i':
	case 'u':
	case 'k':
		return "a 32-bit integer";
	case '?':
		return "a boolean";
	case 's':
		return "a string";
	case 'y':
		return "a Uint8Array";
	case 'f':
		return "a function";
	default:
		return "a handle";
	}
}

static bool wrong_type(napi_env env, size_t i, char c)
{
	char message[64];

	snprintf(message, sizeof(message), "argument %zu: expected %s", i + 1, expected(c));
	fail_type(env, message);
	return false;
}

/* Integers must be whole and in range: napi_get_value_int32() would truncate and wrap in silence. */
static bool get_int(napi_env env, napi_value v, double min, double max, double *out)
{
	if (napi_get_value_double(env, v, out) != napi_ok)
		return false;
	return *out >= min && *out <= max && *out == (double)(int64_t)*out;
}

static bool get_bytes(napi_env env, napi_value v, struct bytes *out)
{
	napi_typedarray_type type;
	bool is_array = false;

	napi_is_typedarray(env, v, &is_array);
	if (!is_array)
		return false;
	if (napi_get_typedarray_info(env, v, &type, &out->len, (void **)&out->data, NULL, NULL) != napi_ok)
		return false;
	return type == napi_uint8_array;
}

static bool get_function(napi_env env, napi_value v, napi_value *out)
{
	napi_valuetype type;

	*out = v;
	return napi_typeof(env, v, &type) == napi_ok && type == napi_function;
}

/* Throws when the string has a NUL inside or does not fit: both would name something else than was meant. */
static bool get_string(napi_env env, napi_value v, char *buf, size_t cap, size_t i)
{
	char message[64];
	size_t len;

	if (napi_get_value_string_utf8(env, v, NULL, 0, &len) != napi_ok)
		return wrong_type(env, i, 's');
	if (len < cap)
		napi_get_value_string_utf8(env, v, buf, cap, &len);
	if (len < cap && strlen(buf) == len)
		return true;
	snprintf(message, sizeof(message), "argument %zu: a string with NUL or over %zu bytes", i + 1, cap - 1);
	fail_range(env, message);
	return false;
}

static bool closed(napi_env env, const char *what)
{
	char message[64];

	snprintf(message, sizeof(message), "the BPF %s is closed", what);
	fail_own(env, "ERR_CLOSED", message);
	return false;
}

static bool get_object(napi_env env, napi_value v, char c, struct object **out)
{
	*out = external_get(env, v, KIND_OBJECT);
	if (!*out)
		return false;
	return (*out)->obj || c == 'O' ? true : closed(env, "object");
}

static bool get_handle(napi_env env, napi_value v, char c, struct handle **out)
{
	static const char *const names[] = { [KIND_MAP] = "map",
					     [KIND_PROGRAM] = "program",
					     [KIND_LINK] = "link",
					     [KIND_STATISTICS] = "statistics switch" };
	enum kind kind = c == 'p' ? KIND_PROGRAM : c == 'l' ? KIND_LINK : KIND_MAP;

	if (c == 'h' || c == 'H')
		kind = KIND_ANY;
	*out = external_get(env, v, kind);
	if (!*out)
		return false;
	return (*out)->fd >= 0 || c == 'H' ? true : closed(env, names[(*out)->kind]);
}

static bool get_one(napi_env env, napi_value v, char c, size_t i, va_list *ap)
{
	double n;

	switch (c) {
	case 'i':
		if (!get_int(env, v, INT32_MIN, INT32_MAX, &n))
			return wrong_type(env, i, c);
		*va_arg(*ap, int32_t *) = (int32_t)n;
		return true;
	case 'u':
		if (!get_int(env, v, 0, UINT32_MAX, &n))
			return wrong_type(env, i, c);
		*va_arg(*ap, uint32_t *) = (uint32_t)n;
		return true;
	case 'k':
		if (!get_int(env, v, KIND_MAP, KIND_LINK, &n))
			return wrong_type(env, i, c);
		*va_arg(*ap, enum kind *) = (enum kind)n;
		return true;
	case '?':
		return napi_get_value_bool(env, v, va_arg(*ap, bool *)) == napi_ok || wrong_type(env, i, c);
	case 's': {
		char *buf = va_arg(*ap, char *);

		return get_string(env, v, buf, va_arg(*ap, size_t), i);
	}
	case 'y':
		return get_bytes(env, v, va_arg(*ap, struct bytes *)) || wrong_type(env, i, c);
	case 'f':
		return get_function(env, v, va_arg(*ap, napi_value *)) || wrong_type(env, i, c);
	case 'o':
	case 'O':
		return get_object(env, v, c, va_arg(*ap, struct object **));
	case 'r': {
		void **out = va_arg(*ap, void **);

		*out = external_get(env, v, KIND_RING);
		return *out != NULL;
	}
	default:
		return get_handle(env, v, c, va_arg(*ap, struct handle **));
	}
}

bool get_args(napi_env env, napi_callback_info info, const char *fmt, ...)
{
	napi_value argv[MAX_ARGS];
	size_t argc = MAX_ARGS;
	bool ok = true;
	va_list ap;

	log_reset();
	/* Arguments that were not given are filled with undefined. */
	if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok)
		return false;
	va_start(ap, fmt);
	for (size_t i = 0; ok && fmt[i]; i++)
		ok = get_one(env, argv[i], fmt[i], i, &ap);
	va_end(ap);
	return ok;
}
