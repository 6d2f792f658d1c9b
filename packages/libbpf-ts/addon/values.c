// SPDX-License-Identifier: Apache-2.0
#include "addon.h"

#include <string.h>

napi_value js_undefined(napi_env env)
{
	napi_value out;

	napi_get_undefined(env, &out);
	return out;
}

napi_value js_null(napi_env env)
{
	napi_value out;

	napi_get_null(env, &out);
	return out;
}

napi_value js_bool(napi_env env, bool v)
{
	napi_value out;

	napi_get_boolean(env, v, &out);
	return out;
}

napi_value js_num(napi_env env, double v)
{
	napi_value out;

	napi_create_double(env, v, &out);
	return out;
}

napi_value js_str(napi_env env, const char *s)
{
	napi_value out;

	napi_create_string_utf8(env, s ? s : "", NAPI_AUTO_LENGTH, &out);
	return out;
}

napi_value js_buffer(napi_env env, size_t len, void **data)
{
	napi_value buffer, out;

	if (napi_create_arraybuffer(env, len, data, &buffer) != napi_ok)
		return NULL;
	if (napi_create_typedarray(env, napi_uint8_array, len, buffer, 0, &out) != napi_ok)
		return NULL;
	return out;
}

napi_value js_bytes(napi_env env, const void *data, size_t len)
{
	void *to;
	napi_value out = js_buffer(env, len, &to);

	if (out && len)
		memcpy(to, data, len);
	return out;
}

void set(napi_env env, napi_value obj, const char *name, napi_value v)
{
	napi_set_named_property(env, obj, name, v);
}

void set_num(napi_env env, napi_value obj, const char *name, double v)
{
	set(env, obj, name, js_num(env, v));
}

void set_big(napi_env env, napi_value obj, const char *name, uint64_t v)
{
	napi_value out;

	napi_create_bigint_uint64(env, v, &out);
	set(env, obj, name, out);
}

void set_str(napi_env env, napi_value obj, const char *name, const char *s)
{
	set(env, obj, name, js_str(env, s));
}
