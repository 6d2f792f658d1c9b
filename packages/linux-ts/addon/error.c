/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "addon.h"

/* Throws Error { message, errno: -error, syscall } and returns NULL, so that callers can `return throw_errno(…)`. */
napi_value throw_errno(napi_env env, int error, const char *syscall)
{
	napi_value message, exception, number, name;
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", syscall, strerror(error));
	NAPI(env, napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message));
	NAPI(env, napi_create_error(env, NULL, message, &exception));
	NAPI(env, napi_create_int32(env, -error, &number));
	NAPI(env, napi_set_named_property(env, exception, "errno", number));
	NAPI(env, napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &name));
	NAPI(env, napi_set_named_property(env, exception, "syscall", name));
	NAPI(env, napi_throw(env, exception));
	return NULL;
}

/* For misuse of the addon and failures of the engine itself: an exception that is already pending is left as it is. */
void throw_napi(napi_env env, const char *call)
{
	const napi_extended_error_info *info = NULL;
	bool pending = false;
	char text[512];

	napi_get_last_error_info(env, &info);
	snprintf(text, sizeof(text), "%s: %s", call, info && info->error_message ? info->error_message : "failed");
	napi_is_exception_pending(env, &pending);
	if (!pending)
		napi_throw_type_error(env, NULL, text);
}
