/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "addon.h"

/* One multicast message. The largest known, a link with all attributes, is a few KiB; a longer one counts as lost. */
#define MESSAGE_LIMIT 65536
/* Handed to JavaScript in one call; bounds what one turn of the event loop reads, so that a flood starves nobody. */
#define BATCH_LIMIT (256u << 10)
#define READS_LIMIT 16384

/*
 * A multicast netlink socket on the event loop. Two holders: the JavaScript external and the poll handle; the last one
 * frees it. Like a server it lives until it is closed, whether or not somebody still holds the external.
 */
struct monitor {
	uv_poll_t poll;
	napi_env env;
	napi_ref callback;
	napi_async_context context;
	napi_async_cleanup_hook_handle hook;
	int fd;
	int holders;
	bool closing;
	bool overrun; /* messages were lost: the rest of the queue is older than the loss, and is thrown away */
	uint8_t *batch;
};

static const napi_type_tag monitor_tag = { 0x6c696e75782d7473ull, 0x6d6f6e69746f7231ull };

static void put_monitor(struct monitor *monitor)
{
	if (--monitor->holders)
		return;
	free(monitor->batch);
	free(monitor);
}

static void on_closed(uv_handle_t *handle)
{
	struct monitor *monitor = handle->data;

	close(monitor->fd);
	napi_remove_async_cleanup_hook(monitor->hook);
	put_monitor(monitor);
}

static void start_closing(struct monitor *monitor)
{
	if (monitor->closing)
		return;
	monitor->closing = true;
	uv_poll_stop(&monitor->poll);
	napi_async_destroy(monitor->env, monitor->context);
	napi_delete_reference(monitor->env, monitor->callback);
	uv_close((uv_handle_t *)&monitor->poll, on_closed);
}

/* The environment (a worker, or the process) ends first. */
static void on_environment_end(napi_async_cleanup_hook_handle hook, void *data)
{
	(void)hook;
	start_closing(data);
}

static void on_external_collected(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	put_monitor(data);
}

/* Calls callback(batch, errno): bytes and 0, or no bytes and the reason. */
static void deliver(struct monitor *monitor, const uint8_t *batch, size_t length, int error)
{
	napi_env env = monitor->env;
	napi_value callback, receiver, arguments[2], exception;
	napi_handle_scope scope;
	bool pending = false;

	if (napi_open_handle_scope(env, &scope) != napi_ok)
		return;
	if (napi_get_reference_value(env, monitor->callback, &callback) == napi_ok &&
	    napi_get_global(env, &receiver) == napi_ok && napi_create_int32(env, error, &arguments[1]) == napi_ok) {
		arguments[0] = new_bytes(env, batch, length);
		if (arguments[0])
			napi_make_callback(env, monitor->context, receiver, callback, 2, arguments, NULL);
		if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
		    napi_get_and_clear_last_exception(env, &exception) == napi_ok)
			napi_fatal_exception(env, exception);
	}
	napi_close_handle_scope(env, scope);
}

/*
 * Reads until the queue is empty or the batch is full. Returns 0 or an errno other than EAGAIN; *empty tells which.
 *
 * ENOBUFS is reported before what is still queued. That rest is older than the loss, so whoever lists the objects anew
 * and then applies it would bring back what is gone: it is thrown away instead.
 */
static int fill_batch(struct monitor *monitor, size_t *length, bool *empty)
{
	size_t read = 0;

	*length = 0;
	*empty = false;
	for (int i = 0; i < READS_LIMIT && read <= BATCH_LIMIT; i++) {
		struct sockaddr_nl from = { 0 };
		struct iovec part = { monitor->batch + *length, MESSAGE_LIMIT };
		struct msghdr message = {
			.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &part,
			.msg_iovlen = 1,
		};
		ssize_t received = recvmsg(monitor->fd, &message, 0);

		if (received < 0 && errno == EINTR)
			continue;
		if (received < 0 && errno == EAGAIN) {
			*empty = true;
			return 0;
		}
		if (received < 0 && errno != ENOBUFS && errno != ENOMEM)
			return errno;
		if (received < 0 || (message.msg_flags & MSG_TRUNC)) {
			monitor->overrun = true;
			*length = 0;
			continue;
		}
		read += received;
		if (from.nl_pid == 0 && !monitor->overrun)
			*length += NLMSG_ALIGN(received);
	}
	return 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct monitor *monitor = poll->data;
	size_t length;
	bool empty;
	int error;

	(void)events;
	monitor->holders++; /* the callback may close */
	/*
	 * An overrun is POLLERR to poll(2), which libuv reports as EBADF and stops polling for (uv__poll_io in its
	 * src/unix/poll.c). Read on all the same: recvmsg says what it is, and clears it.
	 */
	if (status == UV_EBADF)
		status = uv_poll_start(&monitor->poll, UV_READABLE, on_readable);
	error = status < 0 ? -status : fill_batch(monitor, &length, &empty);
	if (error) {
		uv_poll_stop(&monitor->poll);
		deliver(monitor, NULL, 0, error);
	} else if (monitor->overrun && empty) {
		monitor->overrun = false;
		deliver(monitor, NULL, 0, ENOBUFS);
	} else if (length) {
		deliver(monitor, monitor->batch, length, 0);
	}
	put_monitor(monitor);
}

static int join_groups(int fd, const uint8_t *groups, size_t count, int receive_buffer, bool known_namespaces,
		       const char **syscall)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int on = 1;

	/* FORCE goes past net.core.rmem_max and needs CAP_NET_ADMIN. */
	*syscall = "setsockopt SO_RCVBUF";
	if (receive_buffer > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof(receive_buffer)) &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer)))
		return errno;
	*syscall = "bind";
	if (bind(fd, (void *)&address, sizeof(address)))
		return errno;
	*syscall = "setsockopt NETLINK_ADD_MEMBERSHIP";
	for (size_t i = 0; i < count; i++) {
		int group = groups[i];

		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
			return errno;
	}
	*syscall = "setsockopt NETLINK_LISTEN_ALL_NSID";
	if (known_namespaces && setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)))
		return errno;
	return 0;
}

/* Takes over `fd`, and closes it on failure. NULL means that an exception is pending. */
static struct monitor *new_monitor(napi_env env, int fd, napi_value callback)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	napi_value name;
	uv_loop_t *loop;
	int error;

	if (monitor)
		monitor->batch = malloc(BATCH_LIMIT + 2 * MESSAGE_LIMIT);
	if (!monitor || !monitor->batch) {
		throw_errno(env, ENOMEM, "malloc");
		goto failed;
	}
	monitor->env = env;
	monitor->fd = fd;
	monitor->holders = 1;
	monitor->poll.data = monitor;
	if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
	    napi_create_string_utf8(env, "netlink", NAPI_AUTO_LENGTH, &name) != napi_ok ||
	    napi_create_reference(env, callback, 1, &monitor->callback) != napi_ok ||
	    napi_async_init(env, NULL, name, &monitor->context) != napi_ok ||
	    napi_add_async_cleanup_hook(env, on_environment_end, monitor, &monitor->hook) != napi_ok) {
		throw_napi(env, "monitor");
		goto failed;
	}
	error = uv_poll_init(loop, &monitor->poll, fd);
	if (!error) {
		error = uv_poll_start(&monitor->poll, UV_READABLE, on_readable);
		if (!error)
			return monitor;
		start_closing(monitor);
		throw_errno(env, -error, "uv_poll_start");
		return NULL;
	}
	napi_remove_async_cleanup_hook(monitor->hook);
	throw_errno(env, -error, "uv_poll_init");
failed:
	if (monitor) {
		if (monitor->context)
			napi_async_destroy(env, monitor->context);
		if (monitor->callback)
			napi_delete_reference(env, monitor->callback);
		free(monitor->batch);
	}
	free(monitor);
	close(fd);
	return NULL;
}

/*
 * monitorOpen(netnsFd, protocol, groups, receiveBuffer, knownNamespaces, callback) → external
 *
 * `groups` holds a multicast group number (RTNLGRP_*) in each byte; `receiveBuffer` is in bytes, 0 for the default.
 * `knownNamespaces`: also what happens in namespaces that have an id in this one.
 */
napi_value monitor_open(napi_env env, napi_callback_info info)
{
	napi_value arguments[6], external;
	const char *syscall = NULL;
	struct monitor *monitor;
	uint32_t protocol;
	uint8_t *groups;
	size_t count;
	int netns, receive_buffer, fd, error;
	bool known_namespaces;

	if (!get_arguments(env, info, arguments, 6) || !get_int(env, arguments[0], &netns) ||
	    !get_uint32(env, arguments[1], &protocol) || !get_bytes(env, arguments[2], &groups, &count) ||
	    !get_int(env, arguments[3], &receive_buffer))
		return NULL;
	NAPI(env, napi_get_value_bool(env, arguments[4], &known_namespaces));
	fd = netlink_socket(netns, protocol, SOCK_NONBLOCK, &syscall);
	if (fd < 0)
		return throw_errno(env, -fd, syscall);
	error = join_groups(fd, groups, count, receive_buffer, known_namespaces, &syscall);
	if (error) {
		close(fd);
		return throw_errno(env, error, syscall);
	}
	monitor = new_monitor(env, fd, arguments[5]);
	if (!monitor)
		return NULL;
	monitor->holders++;
	if (napi_create_external(env, monitor, on_external_collected, NULL, &external) != napi_ok) {
		throw_napi(env, "monitor");
		put_monitor(monitor);
		start_closing(monitor);
		return NULL;
	}
	if (napi_type_tag_object(env, external, &monitor_tag) != napi_ok) {
		throw_napi(env, "monitor");
		start_closing(monitor);
		return NULL;
	}
	return external;
}

static struct monitor *get_monitor(napi_env env, napi_value value)
{
	bool tagged = false;
	void *monitor;

	if (napi_check_object_type_tag(env, value, &monitor_tag, &tagged) != napi_ok || !tagged ||
	    napi_get_value_external(env, value, &monitor) != napi_ok) {
		napi_throw_type_error(env, NULL, "a monitor was expected");
		return NULL;
	}
	return monitor;
}

/* monitorClose(monitor): nothing is delivered afterwards; closing again does nothing. */
napi_value monitor_close(napi_env env, napi_callback_info info)
{
	napi_value arguments[1];
	struct monitor *monitor;

	if (!get_arguments(env, info, arguments, 1))
		return NULL;
	monitor = get_monitor(env, arguments[0]);
	if (monitor)
		start_closing(monitor);
	return NULL;
}

/* monitorRef(monitor, on): whether the monitor keeps the event loop alive. */
napi_value monitor_ref(napi_env env, napi_callback_info info)
{
	napi_value arguments[2];
	struct monitor *monitor;
	bool on;

	if (!get_arguments(env, info, arguments, 2))
		return NULL;
	monitor = get_monitor(env, arguments[0]);
	if (!monitor)
		return NULL;
	NAPI(env, napi_get_value_bool(env, arguments[1], &on));
	if (monitor->closing)
		return NULL;
	if (on)
		uv_ref((uv_handle_t *)&monitor->poll);
	else
		uv_unref((uv_handle_t *)&monitor->poll);
	return NULL;
}
