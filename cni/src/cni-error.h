/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, as the CNI specification wants it told (section 5, "Error"). */
#pragma once

#include "slice.h"

enum cni_code {
	CNI_INCOMPATIBLE_VERSION = 1,
	CNI_UNSUPPORTED_FIELD = 2,
	CNI_INVALID_ENVIRONMENT = 4,
	CNI_IO_FAILURE = 5,
	CNI_DECODE_FAILURE = 6,
	CNI_INVALID_CONFIG = 7,
	CNI_TRY_AGAIN_LATER = 11,
	CNI_NOT_AVAILABLE = 50,
};

struct cni_error {
	unsigned int code;
	char message[1024];
	char details[4096]; /* may be empty */
};

/* Fills the error, without details, and returns false: `return fail(error, …)`. */
bool fail(struct cni_error *error, unsigned int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Adds details to an error, and returns false as well. */
bool because(struct cni_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A slice as an argument of "%.*s". */
#define SLICE(s) (int)(s).length, (s).at
