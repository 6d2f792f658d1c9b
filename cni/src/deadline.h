/* SPDX-License-Identifier: Apache-2.0 */
/* Moments of CLOCK_MONOTONIC, so that nobody who sets the time makes a pod wait. */
#pragma once

#include <stdint.h>

struct deadline {
	int64_t at_ms;
};

struct deadline deadline_in(unsigned int ms);
struct deadline deadline_after(struct deadline moment, unsigned int ms);
struct deadline deadline_sooner(struct deadline a, struct deadline b);

/* Milliseconds that are left, 0 once it has passed: as poll(2) takes them. */
int deadline_left(struct deadline deadline);
