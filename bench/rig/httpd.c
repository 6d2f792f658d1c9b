// SPDX-License-Identifier: Apache-2.0
/*
 * httpd PORT
 *
 * Answers `GET /N` (HTTP/1.1) with N bytes, in one thread: what a server costs is the same in every mode, and small. A connection stays
 * open unless the request says `Connection: close`.
 */
#define _GNU_SOURCE
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define LARGEST_BODY (16u << 20)
#define EVENTS 256

struct answer {
	size_t body;
	bool close;
	size_t head_length;
	char head[160];
};

struct connection {
	int fd;
	uint32_t events;
	/* What has come of a request. */
	size_t read;
	char request[8192];
	/* What is still to be sent. */
	struct answer answer;
	size_t left;
};

static char *body;
static int poller;

static void prepare(struct answer *answer, size_t length, bool close)
{
	if (answer->head_length != 0 && answer->body == length && answer->close == close)
		return;
	answer->body = length;
	answer->close = close;
	answer->head_length =
		(size_t)snprintf(answer->head, sizeof(answer->head),
				 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n%s\r\n", length,
				 close ? "Connection: close\r\n" : "");
}

/* False for what is no request that this server answers. */
static bool understand(struct connection *connection, const char *end)
{
	size_t length = (size_t)(end - connection->request);
	char *after;
	unsigned long wanted;

	if (strncmp(connection->request, "GET /", 5) != 0)
		return false;
	wanted = strtoul(connection->request + 5, &after, 10);
	if (*after != ' ' || wanted > LARGEST_BODY)
		return false;
	prepare(&connection->answer, wanted, memmem(connection->request, length, "Connection: close", 17) != NULL);
	connection->left = connection->answer.head_length + wanted;
	return true;
}

/* False when the connection is at its end. */
static bool send_answer(struct connection *connection)
{
	const struct answer *answer = &connection->answer;
	size_t sent = answer->head_length + answer->body - connection->left;
	size_t of_head = sent < answer->head_length ? answer->head_length - sent : 0;
	struct iovec parts[2] = {
		{ .iov_base = (char *)answer->head + answer->head_length - of_head, .iov_len = of_head },
		{ .iov_base = body, .iov_len = connection->left - of_head },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t count = sendmsg(connection->fd, &message, MSG_NOSIGNAL);

	if (count < 0)
		return errno == EAGAIN;
	connection->left -= (size_t)count;
	return connection->left > 0 || !answer->close;
}

/* Answers every whole request that has come. */
static bool answer_all(struct connection *connection)
{
	char *end;

	while (connection->left == 0 && (end = memmem(connection->request, connection->read, "\r\n\r\n", 4)) != NULL) {
		if (!understand(connection, end))
			return false;
		end += 4;
		connection->read -= (size_t)(end - connection->request);
		memmove(connection->request, end, connection->read);
		if (!send_answer(connection))
			return false;
	}
	return true;
}

static bool receive(struct connection *connection)
{
	size_t room = sizeof(connection->request) - connection->read;
	ssize_t count = recv(connection->fd, connection->request + connection->read, room, 0);

	if (count < 0)
		return errno == EAGAIN;
	if (count == 0)
		return false;
	connection->read += (size_t)count;
	if (!answer_all(connection))
		return false;
	return connection->read < sizeof(connection->request);
}

static bool serve(struct connection *connection, uint32_t happened)
{
	struct epoll_event wanted = { .data.ptr = connection };

	if (happened & (EPOLLERR | EPOLLHUP))
		return false;
	if ((happened & EPOLLOUT) && !(send_answer(connection) && answer_all(connection)))
		return false;
	if ((happened & EPOLLIN) && !receive(connection))
		return false;
	wanted.events = connection->left > 0 ? EPOLLOUT : EPOLLIN;
	if (wanted.events != connection->events && epoll_ctl(poller, EPOLL_CTL_MOD, connection->fd, &wanted))
		die("epoll_ctl");
	connection->events = wanted.events;
	return true;
}

static void accept_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct connection *connection = calloc(1, sizeof(*connection));
		struct epoll_event wanted = { .events = EPOLLIN, .data.ptr = connection };

		if (connection == NULL)
			die("calloc");
		no_delay(fd);
		connection->fd = fd;
		connection->events = EPOLLIN;
		if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wanted))
			die("epoll_ctl");
	}
}

int main(int count, char **arguments)
{
	struct epoll_event happened[EVENTS], wanted = { .events = EPOLLIN };
	int listener;

	if (count != 2) {
		fprintf(stderr, "usage: httpd PORT\n");
		return 2;
	}
	body = malloc(LARGEST_BODY);
	if (body == NULL)
		die("malloc");
	memset(body, 'x', LARGEST_BODY);
	listener = listen_on(parse_port(arguments[1], "httpd"), false);
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &wanted))
		die("epoll");
	for (;;) {
		int events = epoll_wait(poller, happened, EVENTS, -1);

		if (events < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < events; i++) {
			struct connection *connection = happened[i].data.ptr;

			if (connection == NULL) {
				accept_all(listener);
			} else if (!serve(connection, happened[i].events)) {
				close(connection->fd);
				free(connection);
			}
		}
	}
}
