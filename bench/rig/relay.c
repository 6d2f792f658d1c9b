// SPDX-License-Identifier: Apache-2.0
/*
 * relay PORT                  transparent: dials the address that the client meant, from the client's own
 * relay PORT ADDRESS PORT     explicit: dials that server, from its own address
 *
 * The least that a node proxy does, in one thread: it copies. So the data path shows, which a real proxy's own cost would hide.
 */
#define _GNU_SOURCE
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER 65536
#define EVENTS 256

struct pair;

struct side {
	int fd;
	uint32_t events;
	struct pair *pair;
	/* What came from here and the other side has not taken yet. */
	size_t start, end;
	bool ended, passed_on;
	char buffer[BUFFER];
};

struct pair {
	struct side client, server;
	bool connected, dead;
	struct pair *next_dead;
};

static int poller;
static uint16_t own_port;
/* Where an explicit relay dials; a transparent one has none. */
static struct sockaddr_in6 fixed_server;

static struct side *other(struct side *side)
{
	return side == &side->pair->client ? &side->pair->server : &side->pair->client;
}

static void watch(struct side *side, uint32_t events)
{
	struct epoll_event wanted = { .events = events, .data.ptr = side };

	if (events == side->events)
		return;
	if (epoll_ctl(poller, EPOLL_CTL_MOD, side->fd, &wanted))
		die("epoll_ctl");
	side->events = events;
}

static void watch_both(struct pair *pair)
{
	struct side *sides[] = { &pair->client, &pair->server };

	for (int i = 0; i < 2; i++) {
		struct side *side = sides[i], *from = other(side);
		bool empty = side->start == side->end;

		watch(side, (empty && !side->ended ? EPOLLIN : 0) | (from->start < from->end ? EPOLLOUT : 0));
	}
}

/* From one side to the other, as far as it goes now. False when the connection is broken. */
static bool pump(struct side *from, struct side *to)
{
	ssize_t count;

	if (from->start == from->end && !from->ended) {
		count = recv(from->fd, from->buffer, BUFFER, 0);
		if (count < 0)
			return errno == EAGAIN;
		from->ended = count == 0;
		from->start = 0;
		from->end = (size_t)count;
	}
	if (from->start < from->end) {
		count = send(to->fd, from->buffer + from->start, from->end - from->start, MSG_NOSIGNAL);
		if (count < 0 && errno != EAGAIN)
			return false;
		if (count > 0)
			from->start += (size_t)count;
	}
	if (from->ended && from->start == from->end && !from->passed_on) {
		from->passed_on = true;
		shutdown(to->fd, SHUT_WR);
	}
	return true;
}

static bool is_connected(struct side *server)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (getsockopt(server->fd, SOL_SOCKET, SO_ERROR, &error, &length))
		die("SO_ERROR");
	if (error != 0)
		fprintf(stderr, "relay: the server: %s\n", strerror(error));
	return error == 0;
}

/* False when the pair is at its end. */
static bool serve(struct side *side, uint32_t happened)
{
	struct pair *pair = side->pair;
	struct side *far = other(side);

	if (!pair->connected) {
		if (side != &pair->server || !is_connected(side))
			return false;
		pair->connected = true;
		watch_both(pair);
		return true;
	}
	if (happened & EPOLLERR)
		return false;
	if ((happened & EPOLLOUT) && !pump(far, side))
		return false;
	if ((happened & (EPOLLIN | EPOLLHUP)) && !pump(side, far))
		return false;
	if (side->passed_on && far->passed_on)
		return false;
	watch_both(pair);
	return true;
}

/* The socket towards the server, connecting; -1 when that cannot be. */
static int dial(const struct sockaddr_in6 *client, const struct sockaddr_in6 *destination)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 from = *client;

	if (fd < 0)
		die("socket");
	no_delay(fd);
	if (destination != &fixed_server) {
		from.sin6_port = 0;
		set_option(fd, SOL_IPV6, IPV6_TRANSPARENT, "IPV6_TRANSPARENT");
		/* The port is chosen by connect, which may give the same one to connections to different servers. */
		set_option(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, "IP_BIND_ADDRESS_NO_PORT");
		if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
			die("bind to the client's address");
	}
	if (connect(fd, (const struct sockaddr *)destination, sizeof(*destination)) && errno != EINPROGRESS) {
		perror("relay: connect");
		close(fd);
		return -1;
	}
	return fd;
}

static void add(struct side *side, struct pair *pair, int fd, uint32_t events)
{
	struct epoll_event wanted = { .events = events, .data.ptr = side };

	side->pair = pair;
	side->fd = fd;
	side->events = events;
	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wanted))
		die("epoll_ctl");
}

static void take(int client)
{
	struct sockaddr_in6 source, meant;
	socklen_t length = sizeof(source);
	const struct sockaddr_in6 *destination = &fixed_server;
	struct pair *pair;
	int server;

	/* It may have gone already. */
	if (getpeername(client, (struct sockaddr *)&source, &length)) {
		close(client);
		return;
	}
	if (fixed_server.sin6_port == 0) {
		length = sizeof(meant);
		if (getsockname(client, (struct sockaddr *)&meant, &length))
			die("getsockname");
		destination = &meant;
		/* Dialled itself and not led here: it would dial itself for ever. */
		if (ntohs(meant.sin6_port) == own_port) {
			close(client);
			return;
		}
	}
	server = dial(&source, destination);
	if (server < 0) {
		close(client);
		return;
	}
	no_delay(client);
	pair = malloc(sizeof(*pair));
	if (pair == NULL)
		die("malloc");
	/* Not calloc: the buffers need no zeros. */
	memset(&pair->client, 0, offsetof(struct side, buffer));
	memset(&pair->server, 0, offsetof(struct side, buffer));
	pair->connected = pair->dead = false;
	add(&pair->client, pair, client, 0);
	add(&pair->server, pair, server, EPOLLOUT);
}

static struct sockaddr_in6 parse_server(const char *address, const char *port)
{
	struct sockaddr_in6 server = { .sin6_family = AF_INET6, .sin6_port = htons(parse_port(port, "relay")) };
	char mapped[INET6_ADDRSTRLEN + 8];

	snprintf(mapped, sizeof(mapped), "%s%s", strchr(address, ':') == NULL ? "::ffff:" : "", address);
	if (inet_pton(AF_INET6, mapped, &server.sin6_addr) != 1) {
		fprintf(stderr, "relay: %s is no address\n", address);
		exit(2);
	}
	return server;
}

int main(int count, char **arguments)
{
	struct epoll_event happened[EVENTS], wanted = { .events = EPOLLIN };
	int listener;

	if (count != 2 && count != 4) {
		fprintf(stderr, "usage: relay PORT [ADDRESS PORT]\n");
		return 2;
	}
	own_port = parse_port(arguments[1], "relay");
	if (count == 4)
		fixed_server = parse_server(arguments[2], arguments[3]);
	listener = listen_on(own_port, count == 2);
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &wanted))
		die("epoll");
	for (;;) {
		int events = epoll_wait(poller, happened, EVENTS, -1);
		struct pair *dead = NULL;

		if (events < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < events; i++) {
			struct side *side = happened[i].data.ptr;
			int client;

			if (side == NULL) {
				while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
					take(client);
				continue;
			}
			if (side->pair->dead || serve(side, happened[i].events))
				continue;
			/* What else is to be told of it in this round still names it: it is freed after that. */
			side->pair->dead = true;
			side->pair->next_dead = dead;
			dead = side->pair;
			close(side->pair->client.fd);
			close(side->pair->server.fd);
		}
		while (dead != NULL) {
			struct pair *next = dead->next_dead;

			free(dead);
			dead = next;
		}
	}
}
