/* SPDX-License-Identifier: Apache-2.0 */
/* What the CNI specification allows as a name (sections 1 and 2). */
#pragma once

#include "slice.h"

/* A container id or the name of a network: a letter or digit, then letters, digits, `_`, `.` and `-`. */
bool is_cni_name(const char *text);

/* Linux' rule for interfaces: 1 to 15 bytes, not `.` or `..`, no `/`, no `:`, no white space. */
bool is_interface_name(const char *text);
