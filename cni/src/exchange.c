/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "exchange.h"

#define CONNECT_MS 2000
/* How long to wait before connecting again to a socket whose backlog is full. */
#define BACKLOG_MS 20

static bool broken(struct exchange_failure *failure, const char *what, int error)
{
	*failure = (struct exchange_failure){ .what = what, .error = error };
	return false;
}

/*
 * A full backlog is EAGAIN for a socket that does not block, and there is nothing to poll for: unix(7),
 * net/unix/af_unix.c.
 */
static bool connect_to(int fd, const char *path, struct deadline deadline, struct exchange_failure *failure)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	if (length >= sizeof(address.sun_path))
		return broken(failure, "connecting", ENAMETOOLONG);
	memcpy(address.sun_path, path, length + 1);
	while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return broken(failure, "connecting", errno);
		int left = deadline_left(deadline);
		if (left == 0)
			return broken(failure, "too many wait to connect", 0);
		poll(NULL, 0, left < BACKLOG_MS ? left : BACKLOG_MS);
	}
	return true;
}

static bool wait_for(int fd, short events, struct deadline deadline, const char *what, struct exchange_failure *failure)
{
	struct pollfd socket_ready = { .fd = fd, .events = events };
	int ready;
	do
		ready = poll(&socket_ready, 1, deadline_left(deadline));
	while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return broken(failure, what, errno);
	return ready > 0 || broken(failure, what, ETIMEDOUT);
}

static bool is_passing(int error)
{
	return error == EINTR || error == EAGAIN;
}

static bool send_request(int fd, struct slice request, struct deadline deadline, struct exchange_failure *failure)
{
	static const char what[] = "sending the request";
	while (request.length > 0) {
		if (!wait_for(fd, POLLOUT, deadline, what, failure))
			return false;
		ssize_t sent = send(fd, request.at, request.length, MSG_NOSIGNAL);
		if (sent < 0 && is_passing(errno))
			continue;
		/* An agent that takes no more of it may have answered all the same: the reply tells why. */
		if (sent < 0)
			return errno == EPIPE || broken(failure, what, errno);
		request.at += sent;
		request.length -= (size_t)sent;
	}
	return true;
}

static bool receive_reply(int fd, struct deadline deadline, char *buffer, size_t size, struct slice *reply,
			  struct exchange_failure *failure)
{
	static const char what[] = "waiting for the reply";
	size_t length = 0;
	while (length < size) {
		if (!wait_for(fd, POLLIN, deadline, what, failure))
			return false;
		ssize_t got = recv(fd, buffer + length, size - length, 0);
		if (got < 0 && is_passing(errno))
			continue;
		if (got < 0)
			return broken(failure, what, errno);
		if (got == 0)
			return broken(failure, "the connection was closed before the reply's end", 0);
		const char *line_end = memchr(buffer + length, '\n', (size_t)got);
		if (line_end) {
			*reply = (struct slice){ .at = buffer, .length = (size_t)(line_end - buffer) };
			return true;
		}
		length += (size_t)got;
	}
	return broken(failure, "the reply is too long", 0);
}

bool exchange(const char *socket_path, struct slice request, struct deadline deadline, char *buffer, size_t size,
	      struct slice *reply, struct exchange_failure *failure)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return broken(failure, "making a socket", errno);
	bool ok = connect_to(fd, socket_path, deadline_sooner(deadline, deadline_in(CONNECT_MS)), failure) &&
		  send_request(fd, request, deadline, failure) &&
		  receive_reply(fd, deadline, buffer, size, reply, failure);
	close(fd);
	return ok;
}
