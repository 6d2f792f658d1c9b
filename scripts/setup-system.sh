#!/usr/bin/env bash
# Installs the system packages that building and testing need. Idempotent: looks first, installs only what is missing,
# changes no apt source and starts or enables no daemon. Where there is no apt it names what is missing and stops.
set -euo pipefail

CACHE=${MILLRACE_CACHE:-$HOME/.cache/millrace}

# Command or file that shows a package is there → Debian package. One line each, with what it is for.
needs=(
	# The native addons
	"cc:gcc"
	"/usr/include/stdio.h:libc6-dev"
	"pkg-config:pkg-config"
	# The CNI plugin, which is linked statically
	"musl-gcc:musl-tools"
	# The BPF programs and their style
	"clang:clang"
	"clang-format:clang-format"
	"llvm-objdump:llvm"
	"/usr/include/bpf/libbpf.h:libbpf-dev"
	# The lab: namespaces, Service addresses, what stands for other owners, and what the kernel holds
	"ip:iproute2"
	"nft:nftables"
	"iptables:iptables"
	"ipset:ipset"
	"conntrack:conntrack"
	"bpftool:bpftool"
	# Clients, servers and observers in tests
	"curl:curl"
	"ping:iputils-ping"
	"traceroute:traceroute"
	"socat:socat"
	"tcpdump:tcpdump"
	"strace:strace"
	"setpriv:util-linux"
	"sysctl:procps"
	"openssl:openssl"
	# What measures (bench), and the letters on its charts
	"wrk:wrk"
	"/etc/fonts/fonts.conf:fontconfig-config"
	# The image, built and run (deploy)
	"buildah:buildah"
	"mmdebstrap:mmdebstrap"
	# Other kernels (test/vm)
	"qemu-system-x86_64:qemu-system-x86"
	"busybox:busybox-static"
	"cpio:cpio"
	"modprobe:kmod"
	"xz:xz-utils"
	"zstd:zstd"
)

# HAProxy is the lab's node proxy. Its package would enable a service, so only its libraries are installed by apt and the
# program itself is unpacked into the cache.
haproxy_libraries=(liblua5.3-0 libopentracing-c-wrapper0 libpcre2-8-0 libssl3 libsystemd0 libcrypt1)
haproxy=$CACHE/haproxy/usr/sbin/haproxy

# unbound is the lab's DNS server, for the same reason unpacked into the cache. Which libraries it needs its package says.
unbound=$CACHE/unbound/usr/sbin/unbound

# nginx is a server that is measured behind HAProxy, for the same reason unpacked into the cache.
nginx=$CACHE/nginx/usr/sbin/nginx

# The CNI project's plugins as Debian has them, for chains of plugins in tests; they are programs that need nothing but a kernel.
cni_plugins=$CACHE/containernetworking-plugins/usr/lib/cni

there() {
	case $1 in
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] ;;
	esac
}

missing=()
for need in "${needs[@]}"; do
	there "${need%%:*}" || missing+=("${need##*:}")
done

# Serves files to guests: a part of QEMU's packages, on newer systems a package of its own.
virtiofsd_there() {
	there /usr/lib/qemu/virtiofsd || there /usr/libexec/virtiofsd
}
virtiofsd_there || missing+=(qemu-system-x86)

# libFuzzer and the sanitizers that clang links into the CNI plugin's fuzzers: a package for each version of clang.
fuzzer_there() {
	local resources
	resources=$(clang -print-resource-dir 2>/dev/null) && [ -n "$(find "$resources/" -name 'libclang_rt.fuzzer*.a' -print -quit)" ]
}

haproxy_works() {
	[ -x "$haproxy" ] && "$haproxy" -v >/dev/null 2>&1
}

unbound_works() {
	[ -x "$unbound" ] && "$unbound" -V >/dev/null 2>&1
}

nginx_works() {
	[ -x "$nginx" ] && "$nginx" -v >/dev/null 2>&1
}

cni_plugins_there() {
	[ -x "$cni_plugins/ptp" ] && [ -x "$cni_plugins/host-local" ]
}

if [ ${#missing[@]} -eq 0 ] && fuzzer_there && haproxy_works && unbound_works && nginx_works && cni_plugins_there; then
	exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
	echo "setup: this is not Debian or Ubuntu. Please install the equivalents of: ${missing[*]:-nothing more}" >&2
	fuzzer_there || echo "setup: clang has no libFuzzer (compiler-rt), which make fuzz-cni needs" >&2
	haproxy_works || command -v haproxy >/dev/null || { echo "setup: and HAProxy (>= 2.4), which MILLRACE_HAPROXY may point to" >&2; exit 1; }
	unbound_works || command -v unbound >/dev/null || { echo "setup: and unbound, which MILLRACE_UNBOUND may point to" >&2; exit 1; }
	nginx_works || command -v nginx >/dev/null || echo "setup: make bench needs nginx, which MILLRACE_NGINX may point to" >&2
	[ ${#missing[@]} -eq 0 ] || exit 1
	exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "setup: missing: ${missing[*]:-the private HAProxy, unbound or nginx}. Run 'make setup' once as root." >&2
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive
quiet() { # shows the output only when the command fails
	local out
	out=$("$@" 2>&1) || { printf '%s\n' "$out" >&2; return 1; }
}

quiet apt-get update
packages=("${missing[@]}")
if ! fuzzer_there; then
	clang_version=$(apt-cache depends clang | sed -n 's/^ *Depends: clang-\([0-9]*\)$/\1/p')
	packages+=("libclang-rt-$clang_version-dev")
fi
haproxy_works || packages+=("${haproxy_libraries[@]}")
libraries_of() { # that a package needs, as it says itself
	apt-cache depends "$1" | sed -n 's/^ *\(Pre\)\?Depends: \(lib.*\)/\2/p'
}
for package in unbound nginx; do
	"${package}_works" && continue
	mapfile -t libraries < <(libraries_of "$package")
	packages+=("${libraries[@]}")
done
if [ ${#packages[@]} -gt 0 ]; then
	echo "setup: installing ${packages[*]}"
	quiet apt-get install -y --no-install-recommends "${packages[@]}"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
unpack() { # the files of a package into the cache, without its scripts
	echo "setup: unpacking $1 into $CACHE/$1"
	(cd "$work" && quiet apt-get -o APT::Sandbox::User=root download "$1")
	rm -rf "${CACHE:?}/$1"
	mkdir -p "$CACHE/$1"
	dpkg -x "$work/$1"_*.deb "$CACHE/$1"
}
if ! haproxy_works; then
	unpack haproxy
	haproxy_works || { "$haproxy" -v; exit 1; }
fi
if ! unbound_works; then
	unpack unbound
	unbound_works || { "$unbound" -V; exit 1; }
fi
if ! nginx_works; then
	unpack nginx
	nginx_works || { "$nginx" -v; exit 1; }
fi
if ! cni_plugins_there; then
	unpack containernetworking-plugins
	cni_plugins_there || { echo "setup: the package containernetworking-plugins has no ptp" >&2; exit 1; }
fi
