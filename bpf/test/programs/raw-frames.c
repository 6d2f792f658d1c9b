/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * raw-frames <device> linear|paged: sends each line of hexadecimal digits on its input as an Ethernet frame.
 *
 * `paged` sends by way of a transmit ring, for which the kernel puts the Ethernet header alone into the packet's head and
 * everything behind it into pages (net/packet/af_packet.c, tpacket_fill_skb()).
 */
#include <arpa/inet.h>
#include <err.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define RING_BYTES 4096 /* one block of one frame */

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

static void send_paged(int fd, void *ring, const unsigned char *frame, size_t bytes)
{
	struct tpacket2_hdr *header = ring;

	memcpy((char *)ring + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), frame, bytes);
	header->tp_len = bytes;
	header->tp_status = TP_STATUS_SEND_REQUEST;
	if (send(fd, NULL, 0, 0) < 0)
		err(1, "send");
}

int main(int argc, char **argv)
{
	struct sockaddr_ll device = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	unsigned char frame[2048];
	char line[2 * sizeof(frame) + 2];
	void *ring = NULL;
	int fd;

	if (argc != 3)
		errx(2, "usage: raw-frames <device> linear|paged");
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0)
		err(1, "socket");
	device.sll_ifindex = if_nametoindex(argv[1]);
	if (!device.sll_ifindex)
		err(1, "%s", argv[1]);
	if (!strcmp(argv[2], "paged"))
		ring = open_ring(fd);
	if (bind(fd, (struct sockaddr *)&device, sizeof(device)))
		err(1, "bind");

	while (fgets(line, sizeof(line), stdin)) {
		size_t bytes = read_hex(line, frame, sizeof(frame));

		if (ring)
			send_paged(fd, ring, frame, bytes);
		else if (send(fd, frame, bytes, 0) < 0)
			err(1, "send");
	}
	return 0;
}
