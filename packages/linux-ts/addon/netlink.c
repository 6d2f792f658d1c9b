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

/*
 * netlinkRequest(netnsFd, protocol, type, flags, payload) → Uint8Array
 *
 * The messages of the answer one after another, NLMSG_DONE or NLMSG_ERROR at the end included: what they mean is for the
 * caller. `flags` must ask for an acknowledgement or a dump, else there is no end to wait for.
 */
napi_value netlink_request(napi_env env, napi_callback_info info)
{
	struct answer answer = { 0 };
	uint32_t type, flags, protocol;
	const char *syscall = NULL;
	napi_value arguments[5], result;
	uint8_t *payload;
	size_t length;
	bool last = false;
	int netns, fd, error;

	if (!get_arguments(env, info, arguments, 5) || !get_int(env, arguments[0], &netns) ||
	    !get_uint32(env, arguments[1], &protocol) || !get_uint32(env, arguments[2], &type) ||
	    !get_uint32(env, arguments[3], &flags) || !get_bytes(env, arguments[4], &payload, &length))
		return NULL;
	fd = netlink_socket(netns, protocol, 0, &syscall);
	if (fd < 0)
		return throw_errno(env, -fd, syscall);
	syscall = "setsockopt SO_RCVTIMEO";
	error = configure(fd);
	if (!error) {
		syscall = "sendmsg";
		error = send_request(fd, type, flags, payload, length);
	}
	while (!error && !last) {
		syscall = "recvmsg";
		error = receive_datagram(fd, &answer, &last);
	}
	close(fd);
	result = error ? throw_errno(env, error, syscall) : new_bytes(env, answer.data, answer.length);
	free(answer.data);
	return result;
}
