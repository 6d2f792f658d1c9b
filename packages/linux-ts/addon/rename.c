/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "addon.h"

/* renameExchange(a, b): the files of two names swap their places in one step. */
napi_value rename_exchange(napi_env env, napi_callback_info info)
{
	napi_value arguments[2], undefined;
	char *first, *second = NULL;
	int error = 0;

	if (!get_arguments(env, info, arguments, 2))
		return NULL;
	first = get_string(env, arguments[0]);
	if (first)
		second = get_string(env, arguments[1]);
	if (first && second && renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE))
		error = errno;
	free(first);
	if (!second)
		return NULL;
	free(second);
	if (error)
		return throw_errno(env, error, "renameat2 RENAME_EXCHANGE");
	NAPI(env, napi_get_undefined(env, &undefined));
	return undefined;
}
