/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "addon.h"

static bool checked(napi_env env, napi_status status, const char *what)
{
	if (status == napi_ok)
		return true;
	throw_napi(env, what);
	return false;
}

/* All arguments are required: an absent one is undefined and fails its own conversion. */
bool get_arguments(napi_env env, napi_callback_info info, napi_value *arguments, size_t count)
{
	return checked(env, napi_get_cb_info(env, info, &count, arguments, NULL, NULL), "arguments");
}

bool get_int(napi_env env, napi_value value, int *out)
{
	return checked(env, napi_get_value_int32(env, value, out), "integer argument");
}

bool get_uint32(napi_env env, napi_value value, uint32_t *out)
{
	return checked(env, napi_get_value_uint32(env, value, out), "unsigned argument");
}

bool get_bytes(napi_env env, napi_value value, uint8_t **data, size_t *length)
{
	napi_typedarray_type type;
	void *start = NULL;

	if (!checked(env, napi_get_typedarray_info(env, value, &type, length, &start, NULL, NULL), "bytes argument"))
		return false;
	if (type != napi_uint8_array) {
		napi_throw_type_error(env, NULL, "bytes argument: a Uint8Array was expected");
		return false;
	}
	*data = start;
	return true;
}

/* The caller frees the result; NULL means that an exception is pending. */
char *get_string(napi_env env, napi_value value)
{
	size_t length;
	char *text;

	if (!checked(env, napi_get_value_string_utf8(env, value, NULL, 0, &length), "string argument"))
		return NULL;
	text = malloc(length + 1);
	if (!text) {
		napi_throw_error(env, NULL, "string argument: out of memory");
		return NULL;
	}
	if (!checked(env, napi_get_value_string_utf8(env, value, text, length + 1, &length), "string argument")) {
		free(text);
		return NULL;
	}
	if (strlen(text) != length) {
		free(text);
		napi_throw_type_error(env, NULL, "string argument: holds a zero byte");
		return NULL;
	}
	return text;
}

napi_value new_bytes(napi_env env, const void *data, size_t length)
{
	napi_value buffer, array;
	void *copy;

	NAPI(env, napi_create_arraybuffer(env, length, &copy, &buffer));
	if (length)
		memcpy(copy, data, length);
	NAPI(env, napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array));
	return array;
}
