/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "input.h"

static bool wait_for_input(struct deadline deadline, struct cni_error *error)
{
	struct pollfd stdin_ready = { .fd = STDIN_FILENO, .events = POLLIN };
	int ready;
	do
		ready = poll(&stdin_ready, 1, deadline_left(deadline));
	while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return fail(error, CNI_IO_FAILURE, "waiting for stdin failed: %s", strerror(errno));
	if (ready == 0)
		return fail(error, CNI_IO_FAILURE, "stdin, which holds the network configuration, did not end in time");
	return true;
}

bool read_input(char *buffer, size_t size, struct deadline deadline, struct slice *text, struct cni_error *error)
{
	size_t length = 0;
	char beyond;
	for (;;) {
		if (!wait_for_input(deadline, error))
			return false;
		ssize_t got = length < size ? read(STDIN_FILENO, buffer + length, size - length)
					    : read(STDIN_FILENO, &beyond, 1);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return fail(error, CNI_IO_FAILURE, "stdin cannot be read: %s", strerror(errno));
		if (got == 0)
			break;
		if (length == size)
			return fail(error, CNI_DECODE_FAILURE,
				    "the network configuration on stdin is longer than %zu bytes", size);
		length += (size_t)got;
	}
	*text = (struct slice){ .at = buffer, .length = length };
	return true;
}
