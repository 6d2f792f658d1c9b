/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * checksums-by-software <device>: takes the device's checksum offload away, as `ethtool -K <device> tx off` does. What leaves by
 * it has its checksum finished by then; on a veth with the offload nobody ever does.
 */
#include <err.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct ethtool_value off = { .cmd = ETHTOOL_STXCSUM };
	struct ifreq request = { .ifr_data = (void *)&off };
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (argc != 2 || strlen(argv[1]) >= IFNAMSIZ)
		errx(2, "usage: checksums-by-software <device>");
	strcpy(request.ifr_name, argv[1]);
	if (sock < 0 || ioctl(sock, SIOCETHTOOL, &request))
		err(1, "%s", argv[1]);
	return 0;
}
