/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "addon.h"

/* Starts each packet in what packetRead fills; the packet follows, padded to 8 bytes. src/packet-socket.ts reads it. */
struct packet_record {
	uint64_t at_ns; /* since 1970 */
	uint32_t ifindex;
	uint32_t captured;
	uint32_t length;
	uint16_t link_type;  /* ARPHRD_* */
	uint8_t packet_type; /* PACKET_* */
	uint8_t has_tag;
	uint16_t tag_protocol;
	uint16_t tag_control;
	uint32_t reserved;
};

static int set_up(int fd, const uint8_t *program, size_t length, int receive_buffer, const char **syscall)
{
	struct sockaddr_ll everywhere = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct sock_fprog filter = { length / sizeof(struct sock_filter), (struct sock_filter *)program };
	int on = 1;

	*syscall = "setsockopt SO_RCVBUFFORCE";
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof(receive_buffer)))
		return errno;
	*syscall = "setsockopt SO_TIMESTAMPNS";
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)))
		return errno;
	*syscall = "setsockopt PACKET_AUXDATA";
	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)))
		return errno;
	*syscall = "setsockopt SO_ATTACH_FILTER";
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)))
		return errno;
	/* Only now do packets come: none that the filter has not seen. */
	*syscall = "bind";
	if (bind(fd, (struct sockaddr *)&everywhere, sizeof(everywhere)))
		return errno;
	return 0;
}

/*
 * packetOpen(netnsFd, filter, receiveBuffer) → fd of a packet socket that hears all interfaces of the namespace.
 *
 * `filter` is a classic BPF program (struct sock_filter, eight bytes an instruction).
 */
napi_value packet_open(napi_env env, napi_callback_info info)
{
	napi_value arguments[3], result;
	struct netns_visit visit;
	const char *syscall = NULL;
	uint8_t *program;
	size_t length;
	int netns, receive_buffer, fd, error;

	if (!get_arguments(env, info, arguments, 3) || !get_int(env, arguments[0], &netns) ||
	    !get_bytes(env, arguments[1], &program, &length) || !get_int(env, arguments[2], &receive_buffer))
		return NULL;
	error = netns_enter(&visit, netns, &syscall);
	if (error)
		return throw_errno(env, error, syscall);
	/* Protocol 0: it hears nothing yet. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	error = fd < 0 ? errno : 0;
	netns_leave(&visit);
	if (error)
		return throw_errno(env, error, "socket AF_PACKET");
	error = set_up(fd, program, length, receive_buffer, &syscall);
	if (error) {
		close(fd);
		return throw_errno(env, error, syscall);
	}
	if (napi_create_int32(env, fd, &result) != napi_ok) {
		close(fd);
		throw_napi(env, "packet socket");
		return NULL;
	}
	return result;
}

static void read_control(struct msghdr *message, struct packet_record *record)
{
	struct tpacket_auxdata auxiliary;
	struct timespec at;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&at, CMSG_DATA(part), sizeof(at));
			record->at_ns = at.tv_sec * 1000000000ull + at.tv_nsec;
		} else if (part->cmsg_level == SOL_PACKET && part->cmsg_type == PACKET_AUXDATA) {
			memcpy(&auxiliary, CMSG_DATA(part), sizeof(auxiliary));
			record->length = auxiliary.tp_len;
			record->has_tag = !!(auxiliary.tp_status & TP_STATUS_VLAN_VALID);
			record->tag_control = auxiliary.tp_vlan_tci;
			record->tag_protocol =
				auxiliary.tp_status & TP_STATUS_VLAN_TPID_VALID ? auxiliary.tp_vlan_tpid : ETH_P_8021Q;
		}
	}
}

/* Returns the bytes it took of `room`, 0 when there is none to read, or a negative errno. */
static ssize_t read_packet(int fd, uint8_t *room, size_t size)
{
	char control[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct packet_record record = { 0 };
	struct sockaddr_ll from = { 0 };
	struct iovec part = { room + sizeof(record), size - sizeof(record) };
	struct msghdr message = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t received;

	do {
		received = recvmsg(fd, &message, 0);
	} while (received < 0 && errno == EINTR);
	/* ENETDOWN: an interface went down (packet_notifier() in net/packet/af_packet.c); the others go on. */
	if (received < 0)
		return errno == EAGAIN || errno == ENETDOWN ? 0 : -errno;
	record.ifindex = from.sll_ifindex;
	record.captured = received;
	record.length = received;
	record.link_type = from.sll_hatype;
	record.packet_type = from.sll_pkttype;
	read_control(&message, &record);
	memcpy(room, &record, sizeof(record));
	return sizeof(record) + ((received + 7) & ~7);
}

/*
 * packetRead(fd, room, longest) → bytes of `room` that hold packets: as many as are there, or as it has room for while each takes at most
 * `longest` bytes of a packet, a multiple of eight. What is longer is cut by the filter, or here.
 */
napi_value packet_read(napi_env env, napi_callback_info info)
{
	napi_value arguments[3], result;
	uint32_t longest;
	uint8_t *room;
	size_t size, used = 0, needed;
	ssize_t taken;
	int fd;

	if (!get_arguments(env, info, arguments, 3) || !get_int(env, arguments[0], &fd) ||
	    !get_bytes(env, arguments[1], &room, &size) || !get_uint32(env, arguments[2], &longest))
		return NULL;
	needed = sizeof(struct packet_record) + longest;
	while (size - used >= needed) {
		taken = read_packet(fd, room + used, needed);
		if (taken < 0)
			return throw_errno(env, -taken, "recvmsg AF_PACKET");
		if (!taken)
			break;
		used += taken;
	}
	NAPI(env, napi_create_uint32(env, used, &result));
	return result;
}

/* packetDrops(fd) → packets that found no room in the receive buffer since the last call. */
napi_value packet_drops(napi_env env, napi_callback_info info)
{
	napi_value arguments[1], result;
	struct tpacket_stats statistics = { 0 };
	socklen_t length = sizeof(statistics);
	int fd;

	if (!get_arguments(env, info, arguments, 1) || !get_int(env, arguments[0], &fd))
		return NULL;
	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length))
		return throw_errno(env, errno, "getsockopt PACKET_STATISTICS");
	NAPI(env, napi_create_uint32(env, statistics.tp_drops, &result));
	return result;
}
