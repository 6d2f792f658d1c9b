/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "deadline.h"

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct deadline deadline_in(unsigned int ms)
{
	return (struct deadline){ .at_ms = now_ms() + ms };
}

struct deadline deadline_after(struct deadline moment, unsigned int ms)
{
	return (struct deadline){ .at_ms = moment.at_ms + ms };
}

struct deadline deadline_sooner(struct deadline a, struct deadline b)
{
	return a.at_ms < b.at_ms ? a : b;
}

int deadline_left(struct deadline deadline)
{
	int64_t left = deadline.at_ms - now_ms();
	return left > 0 ? (int)left : 0;
}
