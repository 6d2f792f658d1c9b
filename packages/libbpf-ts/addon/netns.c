// SPDX-License-Identifier: Apache-2.0
/*
 * Which devices an ifindex names is decided by the calling thread's network namespace. Between enter and leave no
 * JavaScript runs and no thread is born (a new thread inherits its creator's namespace, and would keep it for good).
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* include/uapi/asm-generic/socket.h, since 5.14; glibc has it later */
#endif

int netns_enter(int netns_fd, int *home)
{
	int err;

	*home = -1;
	if (netns_fd < 0)
		return 0;
	*home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (*home < 0)
		return -errno;
	if (setns(netns_fd, CLONE_NEWNET) == 0)
		return 0;
	err = -errno;
	close(*home);
	*home = -1;
	return err;
}

void netns_leave(int home)
{
	if (home < 0)
		return;
	if (setns(home, CLONE_NEWNET)) {
		perror("libbpf-ts: cannot return to the process's network namespace");
		abort();
	}
	close(home);
}

static int read_cookie(uint64_t *cookie)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*cookie);
	int err;

	if (fd < 0)
		return -errno;
	err = getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &len) ? -errno : 0;
	close(fd);
	return err;
}

/* netnsCookie(netnsFd or -1): a bigint */
napi_value netns_cookie(napi_env env, napi_callback_info info)
{
	uint64_t cookie = 0;
	int netns, home, err;
	napi_value out;

	if (!get_args(env, info, "i", &netns))
		return NULL;
	err = netns_enter(netns, &home);
	if (err)
		return fail(env, "setns", err);
	err = read_cookie(&cookie);
	netns_leave(home);
	if (err)
		return fail(env, "getsockopt(SO_NETNS_COOKIE)", err);
	napi_create_bigint_uint64(env, cookie, &out);
	return out;
}
