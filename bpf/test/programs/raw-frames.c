/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * raw-frames <device> linear|paged|gso|tap: sends each line of hexadecimal digits on its input as an Ethernet frame.
 *
 * `paged` sends by way of a transmit ring, for which the kernel puts the Ethernet header alone into the packet's head and
 * everything behind it into pages (net/packet/af_packet.c, tpacket_fill_skb()).
 * `gso`: each line begins with a struct virtio_net_hdr, which says how the frame is to be cut into segments, and how much of it
 * lies in the head if it is longer than a page (packet_snd()).
 * `tap`: the device is a tap, which receives each frame in several pages, the first with little more than the Ethernet
 * header (drivers/net/tun.c, tun_napi_alloc_frags()).
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define RING_BYTES 4096 /* one block of one frame */
#define LONGEST 65536
#define PIECES 8

static size_t read_hex(const char *line, unsigned char *frame, size_t room)
{
	size_t bytes = 0;
	unsigned int byte;

	while (bytes < room && sscanf(line + 2 * bytes, "%2x", &byte) == 1)
		frame[bytes++] = byte;
	return bytes;
}

static void *open_ring(int fd)
{
	struct tpacket_req ring = {
		.tp_block_size = RING_BYTES,
		.tp_block_nr = 1,
		.tp_frame_size = RING_BYTES,
		.tp_frame_nr = 1,
	};
	int version = TPACKET_V2;
	void *memory;

	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)))
		err(1, "PACKET_VERSION");
	if (setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &ring, sizeof(ring)))
		err(1, "PACKET_TX_RING");
	memory = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	return memory;
}

/* A program on the device's egress dropped it: that is what it is sent for. */
static int is_sent(ssize_t result)
{
	return result >= 0 || errno == ENOBUFS;
}

static void send_paged(int fd, void *ring, const unsigned char *frame, size_t bytes)
{
	struct tpacket2_hdr *header = ring;

	memcpy((char *)ring + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), frame, bytes);
	header->tp_len = bytes;
	header->tp_status = TP_STATUS_SEND_REQUEST;
	if (!is_sent(send(fd, NULL, 0, 0)))
		err(1, "send");
}

static int open_tap(const char *device)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_NAPI | IFF_NAPI_FRAGS };
	int fd = open("/dev/net/tun", O_RDWR);

	if (fd < 0)
		err(1, "/dev/net/tun");
	strncpy(request.ifr_name, device, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &request))
		err(1, "TUNSETIFF %s", device);
	return fd;
}

/* Other pieces for each length: their borders fall into every header. */
static void send_in_pieces(int fd, unsigned char *frame, size_t bytes)
{
	struct iovec pieces[PIECES];
	size_t at = 0, piece = ETH_HLEN + bytes % 3;
	int count = 0;

	while (at < bytes) {
		if (count == PIECES - 1 || piece > bytes - at)
			piece = bytes - at;
		pieces[count++] = (struct iovec){ .iov_base = frame + at, .iov_len = piece };
		at += piece;
		piece = 7 + bytes % 13;
	}
	if (writev(fd, pieces, count) < 0)
		err(1, "writev");
}

static int open_socket(const char *device, int has_virtio_header)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		err(1, "socket");
	address.sll_ifindex = if_nametoindex(device);
	if (!address.sll_ifindex)
		err(1, "%s", device);
	if (has_virtio_header && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &has_virtio_header, sizeof(int)))
		err(1, "PACKET_VNET_HDR");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "bind");
	return fd;
}

int main(int argc, char **argv)
{
	static unsigned char frame[LONGEST];
	static char line[2 * LONGEST + 2];
	void *ring = NULL;
	int fd, is_tap;

	if (argc != 3)
		errx(2, "usage: raw-frames <device> linear|paged|gso|tap");
	is_tap = !strcmp(argv[2], "tap");
	fd = is_tap ? open_tap(argv[1]) : open_socket(argv[1], !strcmp(argv[2], "gso"));
	if (!strcmp(argv[2], "paged"))
		ring = open_ring(fd);

	while (fgets(line, sizeof(line), stdin)) {
		size_t bytes = read_hex(line, frame, sizeof(frame));

		if (is_tap)
			send_in_pieces(fd, frame, bytes);
		else if (ring)
			send_paged(fd, ring, frame, bytes);
		else if (!is_sent(send(fd, frame, bytes, 0)))
			err(1, "send of %zu bytes", bytes);
	}
	return 0;
}
