/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "cni-error.h"

bool fail(struct cni_error *error, unsigned int code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	error->code = code;
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	error->details[0] = '\0';
	va_end(arguments);
	return false;
}

bool because(struct cni_error *error, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(error->details, sizeof(error->details), format, arguments);
	va_end(arguments);
	return false;
}
