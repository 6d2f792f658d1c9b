/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "addon.h"

/*
 * Puts the calling thread into `netns` (-1: it stays where it is). Between enter and leave no JavaScript may run: a
 * thread that libuv starts meanwhile inherits the namespace and never leaves it.
 *
 * Returns 0, or an errno and the name of the call that failed, with the thread at home.
 */
int netns_enter(struct netns_visit *visit, int netns, const char **syscall)
{
	int error;

	visit->home = -1;
	if (netns < 0)
		return 0;
	/* thread-self, not self: namespaces belong to the thread, and a worker's can differ from the main thread's. */
	visit->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (visit->home < 0) {
		*syscall = "open /proc/thread-self/ns/net";
		return errno;
	}
	if (setns(netns, CLONE_NEWNET) == 0)
		return 0;
	error = errno;
	*syscall = "setns";
	close(visit->home);
	visit->home = -1;
	return error;
}

/* Comes home. A thread lost in a foreign namespace would do all its later work there: failing here ends the process. */
void netns_leave(struct netns_visit *visit)
{
	int saved = errno;

	if (visit->home < 0)
		return;
	if (setns(visit->home, CLONE_NEWNET)) {
		fprintf(stderr, "linux-ts: cannot return to the thread's own network namespace: %s\n", strerror(errno));
		abort();
	}
	close(visit->home);
	visit->home = -1;
	errno = saved;
}

/* namespaceType(fd) → the CLONE_NEW* flag of the namespace behind fd, 0 when fd is no namespace file at all. */
napi_value namespace_type(napi_env env, napi_callback_info info)
{
	napi_value arguments[1], result;
	struct statfs fs;
	int fd, type = 0;

	if (!get_arguments(env, info, arguments, 1) || !get_int(env, arguments[0], &fd))
		return NULL;
	if (fstatfs(fd, &fs))
		return throw_errno(env, errno, "fstatfs");
	/* Asked first, because on another file system the ioctl number may mean something else. */
	if (fs.f_type == NSFS_MAGIC) {
		type = ioctl(fd, NS_GET_NSTYPE);
		if (type < 0)
			return throw_errno(env, errno, "ioctl NS_GET_NSTYPE");
	}
	NAPI(env, napi_create_int32(env, type, &result));
	return result;
}
