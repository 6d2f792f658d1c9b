/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "addon.h"

/* The kernel fills dump messages up to 32 KiB when the reader asks for that much (netlink_recvmsg, af_netlink.c). */
#define RECEIVE_SIZE 32768
/* An answer is held in memory whole: a full Internet routing table is about 100 MiB of messages. */
#define ANSWER_LIMIT (256u << 20)
/* The kernel answers inside sendmsg or recvmsg, so silence means that no answer will come. */
#define RECEIVE_TIMEOUT_SECONDS 5

struct answer {
	uint8_t *data;
	size_t length;
	size_t capacity;
};

/*
 * Opens a netlink socket in `netns`. It keeps the namespace that it was created in, so the thread goes home at once.
 * Returns a descriptor, or -errno and the name of the call that failed.
 */
int netlink_socket(int netns, int protocol, int flags, const char **syscall)
{
	struct netns_visit visit;
	int fd, error;

	error = netns_enter(&visit, netns, syscall);
	if (error)
		return -error;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, protocol);
	netns_leave(&visit);
	if (fd < 0) {
		*syscall = "socket";
		return -errno;
	}
	return fd;
}

static int configure(int fd)
{
	struct timeval timeout = { .tv_sec = RECEIVE_TIMEOUT_SECONDS };
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		return errno;
	/* Error texts, and errors without a copy of the request (Linux 4.12, 4.3). Without, only messages are worse. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	/* Dumps filtered by the kernel, bad dump requests refused (Linux 4.20). Without, the reader's filters do. */
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return 0;
}

/* A socket carries one request, so its sequence number can stay 0. */
static int send_request(int fd, uint32_t type, uint32_t flags, uint8_t *payload, size_t length)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsghdr header = {
		.nlmsg_len = NLMSG_LENGTH(length),
		.nlmsg_type = type,
		.nlmsg_flags = flags | NLM_F_REQUEST,
	};
	struct iovec parts[] = { { &header, sizeof(header) }, { payload, length } };
	struct msghdr message = {
		.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
		.msg_iov = parts,
		.msg_iovlen = ARRAY_SIZE(parts),
	};

	return sendmsg(fd, &message, 0) < 0 ? errno : 0;
}

static int reserve(struct answer *answer, size_t more)
{
	size_t capacity = answer->capacity ? answer->capacity : RECEIVE_SIZE;
	uint8_t *data;

	if (answer->length + more > ANSWER_LIMIT)
		return EMSGSIZE;
	while (capacity < answer->length + more)
		capacity *= 2;
	if (capacity == answer->capacity)
		return 0;
	data = realloc(answer->data, capacity);
	if (!data)
		return ENOMEM;
	answer->data = data;
	answer->capacity = capacity;
	return 0;
}

/* Appends one datagram. Returns an errno, or 0 with *last set when it held the end of the answer. */
static int receive_datagram(int fd, struct answer *answer, bool *last)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_length = sizeof(from);
	struct nlmsghdr *header;
	ssize_t length;
	int error;

	/* The size first: a link with hundreds of virtual functions fits into no buffer that one would guess. */
	do
		length = recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return errno == EAGAIN ? ETIMEDOUT : errno;
	error = reserve(answer, (size_t)length > RECEIVE_SIZE ? (size_t)length : RECEIVE_SIZE);
	if (error)
		return error;
	header = (void *)(answer->data + answer->length);
	length = recvfrom(fd, header, answer->capacity - answer->length, 0, (void *)&from, &from_length);
	if (length < 0)
		return errno;
	if (from.nl_pid != 0) /* not from the kernel */
		return 0;
	answer->length += length;
	for (; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
		if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
			*last = true;
	}
	return length > 0 ? EBADMSG : 0;
}

/* One request, and what came back. */
struct exchange {
	int fd;
	uint32_t type;
	uint32_t flags;
	uint8_t *payload;
	size_t length;
	struct answer answer;
	int error;
	const char *syscall; /* the one that failed */
	napi_async_work work;
	napi_deferred deferred;
};

/* Reads the arguments and opens the socket. The payload is JavaScript's. False: an exception is pending. */
static bool prepare(napi_env env, napi_callback_info info, struct exchange *exchange)
{
	const char *syscall = NULL;
	napi_value arguments[5];
	uint32_t protocol;
	int netns;

	if (!get_arguments(env, info, arguments, 5) || !get_int(env, arguments[0], &netns) ||
	    !get_uint32(env, arguments[1], &protocol) || !get_uint32(env, arguments[2], &exchange->type) ||
	    !get_uint32(env, arguments[3], &exchange->flags) ||
	    !get_bytes(env, arguments[4], &exchange->payload, &exchange->length))
		return false;
	exchange->fd = netlink_socket(netns, protocol, 0, &syscall);
	if (exchange->fd < 0)
		throw_errno(env, -exchange->fd, syscall);
	return exchange->fd >= 0;
}

static void perform(struct exchange *exchange)
{
	bool last = false;
	int error;

	exchange->syscall = "setsockopt SO_RCVTIMEO";
	error = configure(exchange->fd);
	if (!error) {
		exchange->syscall = "sendmsg";
		error = send_request(exchange->fd, exchange->type, exchange->flags, exchange->payload,
				     exchange->length);
	}
	while (!error && !last) {
		exchange->syscall = "recvmsg";
		error = receive_datagram(exchange->fd, &exchange->answer, &last);
	}
	exchange->error = error;
	close(exchange->fd);
}

/* NULL: an exception is pending. */
static napi_value take_answer(napi_env env, struct exchange *exchange)
{
	napi_value result;

	if (exchange->error)
		result = throw_errno(env, exchange->error, exchange->syscall);
	else
		result = new_bytes(env, exchange->answer.data, exchange->answer.length);
	free(exchange->answer.data);
	return result;
}

/*
 * netlinkRequest(netnsFd, protocol, type, flags, payload) → Uint8Array
 *
 * The messages of the answer one after another, NLMSG_DONE or NLMSG_ERROR at the end included: what they mean is for the
 * caller. `flags` must ask for an acknowledgement or a dump, else there is no end to wait for.
 */
napi_value netlink_request(napi_env env, napi_callback_info info)
{
	struct exchange exchange = { 0 };

	if (!prepare(env, info, &exchange))
		return NULL;
	perform(&exchange);
	return take_answer(env, &exchange);
}

static void free_exchange(struct exchange *exchange)
{
	free(exchange->payload);
	free(exchange);
}

static void on_pool_thread(napi_env env, void *data)
{
	(void)env;
	perform(data);
}

static void on_performed(napi_env env, napi_status status, void *data)
{
	struct exchange *exchange = data;
	napi_value answer, error = NULL;

	if (status == napi_cancelled) {
		close(exchange->fd);
		exchange->error = ECANCELED;
		exchange->syscall = "sendmsg";
	}
	answer = take_answer(env, exchange);
	if (answer) {
		napi_resolve_deferred(env, exchange->deferred, answer);
	} else {
		napi_get_and_clear_last_exception(env, &error);
		napi_reject_deferred(env, exchange->deferred, error);
	}
	napi_delete_async_work(env, exchange->work);
	free_exchange(exchange);
}

/*
 * netlinkRequestAsync(netnsFd, protocol, type, flags, payload) → Promise<Uint8Array>
 *
 * The same on a thread of libuv's pool, for what waits for rtnetlink's lock. The socket is opened before this returns, so
 * that the namespace may be closed then.
 */
napi_value netlink_request_async(napi_env env, napi_callback_info info)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	napi_value promise, name;
	uint8_t *payload;

	if (!exchange)
		return throw_errno(env, ENOMEM, "malloc");
	if (!prepare(env, info, exchange)) {
		free(exchange);
		return NULL;
	}
	payload = malloc(exchange->length ? exchange->length : 1);
	if (payload)
		memcpy(payload, exchange->payload, exchange->length);
	exchange->payload = payload;
	if (!payload) {
		throw_errno(env, ENOMEM, "malloc");
	} else if (napi_create_promise(env, &exchange->deferred, &promise) == napi_ok &&
		   napi_create_string_utf8(env, "netlinkRequest", NAPI_AUTO_LENGTH, &name) == napi_ok &&
		   napi_create_async_work(env, NULL, name, on_pool_thread, on_performed, exchange, &exchange->work) ==
			   napi_ok) {
		if (napi_queue_async_work(env, exchange->work) == napi_ok)
			return promise;
		throw_napi(env, "napi_queue_async_work");
		napi_delete_async_work(env, exchange->work);
	} else {
		throw_napi(env, "napi_create_async_work");
	}
	close(exchange->fd);
	free_exchange(exchange);
	return NULL;
}
