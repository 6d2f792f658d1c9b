// SPDX-License-Identifier: Apache-2.0
#include "net.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BACKLOG 4096

void die(const char *what)
{
	perror(what);
	exit(1);
}

void set_option(int socket, int level, int name, const char *what)
{
	int one = 1;

	if (setsockopt(socket, level, name, &one, sizeof(one)))
		die(what);
}

void no_delay(int socket)
{
	set_option(socket, IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY");
}

uint16_t parse_port(const char *text, const char *what)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || port == 0 || port > UINT16_MAX) {
		fprintf(stderr, "%s: %s is no port from 1 to 65535\n", what, text);
		exit(2);
	}
	return (uint16_t)port;
}

int listen_on(uint16_t port, bool transparent)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (listener < 0)
		die("socket");
	set_option(listener, SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR");
	if (transparent)
		set_option(listener, SOL_IPV6, IPV6_TRANSPARENT, "IPV6_TRANSPARENT");
	if (bind(listener, (struct sockaddr *)&any, sizeof(any)))
		die("bind");
	if (listen(listener, BACKLOG))
		die("listen");
	return listener;
}
