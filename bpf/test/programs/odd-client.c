// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP clients that do what Node's sockets cannot.
 *
 *     odd-client ktls ADDRESS PORT          asks for kTLS on a connection; prints "taken" or the error's name
 *     odd-client early ADDRESS PORT BYTES   is in send() already while the connection is being made, and sends on afterwards:
 *                                           byte n is n % 251
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 60000

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int dial(const char *address, const char *port, bool wait)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	bool is_six = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;
	int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | (wait ? 0 : SOCK_NONBLOCK), 0);

	if (fd < 0)
		fail("socket");
	if (!is_six && inet_pton(AF_INET, address, &four.sin_addr) != 1)
		fail(address);
	if (connect(fd, is_six ? (void *)&six : (void *)&four, is_six ? sizeof(six) : sizeof(four)) &&
	    (wait || errno != EINPROGRESS))
		fail("connect");
	return fd;
}

static void ask_for_ktls(int fd)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 3) == 0)
		puts("taken");
	else
		puts(strerrorname_np(errno));
}

static void send_all(int fd, long from, long bytes)
{
	static unsigned char piece[PIECE];

	while (bytes > 0) {
		long size = bytes < PIECE ? bytes : PIECE;

		for (long n = 0; n < size; n++)
			piece[n] = (from + n) % 251;
		for (long sent = 0; sent < size;) {
			ssize_t now = send(fd, piece + sent, size - sent, 0);

			if (now < 0)
				fail("send");
			sent += now;
		}
		from += size;
		bytes -= size;
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "ktls") == 0) {
		ask_for_ktls(dial(argv[2], argv[3], true));
		return 0;
	}
	if (argc == 5 && strcmp(argv[1], "early") == 0) {
		int fd = dial(argv[2], argv[3], false);
		struct tcp_info info;
		socklen_t size = sizeof(info);

		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) || info.tcpi_state != TCP_SYN_SENT)
			fail("the connection is there already");
		/* From here on send() waits in the kernel for the connection (net/core/stream.c, sk_stream_wait_connect()). */
		if (fcntl(fd, F_SETFL, 0))
			fail("fcntl");
		puts("sending");
		fflush(stdout);
		send_all(fd, 0, atol(argv[4]));
		puts("sent");
		return 0;
	}
	fprintf(stderr, "usage: odd-client ktls ADDRESS PORT | early ADDRESS PORT BYTES\n");
	return 2;
}
