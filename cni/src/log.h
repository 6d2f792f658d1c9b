/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on stderr, and in a file where one is set: each is one JSON object, a constant message with fields.
 * Stdout is the runtime's.
 */
#pragma once

#include "environment.h"
#include "pod.h"
#include "settings.h"

/* What goes into every line from now on. `pod` may be NULL. */
void log_about(const struct environment *environment, const struct pod *pod);

/* Lines below the level are left out; `file` may be empty. Until then it is `info` and stderr. */
void log_to(enum log_level level, const char *file);

/* Fields are pairs of key and text; NULL ends them: log_line(LOG_WARN, "message", "key", value, NULL). */
void log_line(enum log_level level, const char *message, ...) __attribute__((sentinel));

void log_error(const char *message, const struct cni_error *error);
