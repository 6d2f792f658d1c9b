/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at `at`, 1 to 4; 0 where there is none. */
size_t utf8_length(const char *at, const char *end);

/* Encodes a code point and returns the number of bytes. What is no scalar value (a surrogate) becomes U+FFFD. */
size_t utf8_encode(uint32_t code_point, char out[4]);
