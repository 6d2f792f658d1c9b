/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addon.h"

/* proc_sys_call_handler refuses more than KMALLOC_MAX_SIZE; the longest network sysctl is a few hundred bytes. */
#define VALUE_LIMIT 65536

struct sysctl_call {
	int netns;
	char *path;
	char *value; /* to write, or where to put what was read */
	size_t length;
	const char *syscall;
};

static bool get_call(napi_env env, napi_callback_info info, struct sysctl_call *call, size_t count)
{
	napi_value arguments[3];
	char *name;
	int length;

	if (!get_arguments(env, info, arguments, count) || !get_int(env, arguments[0], &call->netns))
		return false;
	name = get_string(env, arguments[1]);
	if (!name)
		return false;
	length = asprintf(&call->path, "/proc/sys/%s", name);
	free(name);
	if (length < 0) {
		call->path = NULL;
		napi_throw_error(env, NULL, "sysctl: out of memory");
		return false;
	}
	if (count < 3)
		return true;
	call->value = get_string(env, arguments[2]);
	return call->value != NULL;
}

static void free_call(struct sysctl_call *call)
{
	free(call->path);
	free(call->value);
}

/* Whose setting a path under /proc/sys/net is, the lookup decides (fs/proc/proc_sysctl.c): so open inside. */
static int open_in_netns(struct sysctl_call *call, struct netns_visit *visit, int flags, int *fd)
{
	int error = netns_enter(visit, call->netns, &call->syscall);

	if (error)
		return error;
	*fd = open(call->path, flags | O_CLOEXEC | O_NOFOLLOW);
	if (*fd >= 0)
		return 0;
	error = errno;
	call->syscall = "open";
	netns_leave(visit);
	return error;
}

static int read_value(struct sysctl_call *call)
{
	struct netns_visit visit;
	ssize_t length = 0;
	int fd, error;

	call->value = malloc(VALUE_LIMIT);
	if (!call->value) {
		call->syscall = "malloc";
		return ENOMEM;
	}
	error = open_in_netns(call, &visit, O_RDONLY, &fd);
	if (error)
		return error;
	call->syscall = "read";
	while (call->length < VALUE_LIMIT) {
		length = read(fd, call->value + call->length, VALUE_LIMIT - call->length);
		if (length <= 0)
			break;
		call->length += length;
	}
	error = length < 0 ? errno : 0;
	netns_leave(&visit);
	close(fd);
	return error;
}

static int write_value(struct sysctl_call *call)
{
	struct netns_visit visit;
	size_t length = strlen(call->value);
	ssize_t written;
	int fd, error;

	error = open_in_netns(call, &visit, O_WRONLY, &fd);
	if (error)
		return error;
	call->syscall = "write";
	written = write(fd, call->value, length);
	error = written < 0 ? errno : 0;
	netns_leave(&visit);
	close(fd);
	/* A handler takes the whole value at once or not at all; a short count means that it ignored the rest. */
	return !error && (size_t)written != length ? EINVAL : error;
}

/* sysctlRead(netnsFd, path) → string; path is relative to /proc/sys and was checked by the caller. */
napi_value sysctl_read(napi_env env, napi_callback_info info)
{
	struct sysctl_call call = { 0 };
	napi_value result = NULL;
	int error;

	if (get_call(env, info, &call, 2)) {
		error = read_value(&call);
		if (error)
			throw_errno(env, error, call.syscall);
		else if (napi_create_string_utf8(env, call.value, call.length, &result) != napi_ok)
			throw_napi(env, "sysctl value");
	}
	free_call(&call);
	return result;
}

/* sysctlWrite(netnsFd, path, value) */
napi_value sysctl_write(napi_env env, napi_callback_info info)
{
	struct sysctl_call call = { 0 };
	int error;

	if (get_call(env, info, &call, 3)) {
		error = write_value(&call);
		if (error)
			throw_errno(env, error, call.syscall);
	}
	free_call(&call);
	return NULL;
}
