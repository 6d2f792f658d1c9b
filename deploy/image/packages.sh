#!/bin/sh
# Installs what the agent runs where the base has it not, and removes what only installing needs. Run by the Dockerfile.
set -eu

# Program or library → Debian package.
needs="
	ip:iproute2
	ss:iproute2
	nft:nftables
	xtables-nft-multi:iptables
	xtables-legacy-multi:iptables
	ipset:ipset
	nsenter:util-linux
	setpriv:util-linux
	unshare:util-linux
	mount:mount
	libbpf.so.1:libbpf1
	libstdc++.so.6:libstdc++6
"

there() {
	case $1 in
	*.so.*)
		for file in /lib/*/"$1" /usr/lib/*/"$1" /usr/lib/"$1" /usr/lib64/"$1"; do
			[ ! -e "$file" ] || return 0
		done
		return 1
		;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

missing=
for need in $needs; do
	there "${need%%:*}" || missing="$missing ${need##*:}"
done

if [ -n "$missing" ]; then
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "packages: the base lacks what these packages of Debian have:$missing" >&2
		exit 1
	fi
	apt-get update
	# shellcheck disable=SC2086 # a list
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
fi

# What nobody reads in a container; the copyright files stay.
rm -rf /var/lib/apt/lists /var/cache/apt /var/cache/debconf /var/log/apt /usr/share/man /usr/share/locale /usr/share/info
find /usr/share/doc -type f ! -name copyright -delete 2>/dev/null || true
