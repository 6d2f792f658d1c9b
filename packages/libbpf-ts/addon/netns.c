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
#include <unistd.h>

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
