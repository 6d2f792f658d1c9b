/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cni-error.h"
#include "deadline.h"

/*
 * Reads stdin to its end into `buffer`. Fails with code 5 when it cannot be read or does not end in time, 6 when it
 * is longer than the buffer.
 */
bool read_input(char *buffer, size_t size, struct deadline deadline, struct slice *text, struct cni_error *error);
