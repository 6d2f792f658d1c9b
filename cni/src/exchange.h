/* SPDX-License-Identifier: Apache-2.0 */
/* One request line to the agent's socket, one reply line back: docs/cni-socket.md. */
#pragma once

#include "deadline.h"
#include "slice.h"

struct exchange_failure {
	const char *what;
	int error; /* errno, or 0 */
};

/*
 * Sends `request`, which ends with a line feed, and reads the reply into `buffer`; `reply` is its line, without the
 * line feed. Connecting takes 2 s at most, all of it no longer than `deadline`.
 */
bool exchange(const char *socket_path, struct slice request, struct deadline deadline, char *buffer, size_t size,
	      struct slice *reply, struct exchange_failure *failure);
