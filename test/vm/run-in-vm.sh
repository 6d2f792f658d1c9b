#!/usr/bin/env bash
# Boots an unpacked Debian kernel in QEMU with this machine's root file system (read-only, under a tmpfs overlay) and runs
# a command in it as root, at the same paths, with the same working directory. Prints the command's output and exits with
# its exit status.
#
#   run-in-vm.sh -k KERNEL [options] -- COMMAND [ARG...]
#     -k KERNEL      folder made by `dpkg -x linux-image-*.deb` (see kernels.ts); never installed
#     -o DIR         writable in the guest and kept; everything else the guest writes is gone with it
#     -s DIR         must be visible in the guest although it is another mount than /; may be repeated
#     -e NAME=VALUE  set in the command's environment; may be repeated
#     -t SECONDS     time limit for all of it, default 900
#     -m MIB, -c N   memory and processors, default 2048 and 2
#     -a tcg|kvm     default tcg, which works everywhere. That /dev/kvm can be opened does not mean that it boots a kernel.
#     -v             the guest's console to standard error
#
# Exit status: the command's own; 124 for the time limit; 125 when the guest gave none (it did not boot, or panicked), with
# the end of its console on standard error; 2 for wrong usage.
set -euo pipefail

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
complain() { echo "run-in-vm: $*" >&2; exit 2; }
here=$(dirname "$(readlink -f "$0")")

# The outer part only starts the inner one in mount and process namespaces of its own: whatever happens to either, every
# mount and every process that was made goes with the namespaces.
if [ "${1:-}" != --inside ]; then
	[ "$(id -u)" -eq 0 ] || complain "must be root: it mounts, and the guest is to read every file"
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/run-in-vm.XXXXXX")
	setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc "$0" --inside "$scratch" "$@" <&0 &
	inner=$!
	trap 'rmdir "$scratch"' EXIT
	trap 'kill -KILL $inner; wait $inner || true; exit 130' INT TERM HUP
	status=0
	wait $inner || status=$?
	exit $status
fi
scratch=$2
shift 2

kernel='' memory=2048 processors=2 limit=900 out='' accelerator=tcg verbose=''
environment=() visible=("$PWD" "$HOME" "$here")
while getopts k:o:s:e:t:m:c:a:v option; do
	case $option in
	k) kernel=$(realpath -e "$OPTARG") ;;
	o) out=$(realpath -e "$OPTARG") ;;
	s) visible+=("$(realpath -e "$OPTARG")") ;;
	e) environment+=("$OPTARG") ;;
	t) limit=$OPTARG ;;
	m) memory=$OPTARG ;;
	c) processors=$OPTARG ;;
	a) accelerator=$OPTARG ;;
	v) verbose=1 ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] && [ -n "$kernel" ] || usage
[ "$(uname -m)" = x86_64 ] || complain "the guest runs this machine's programs on an x86-64 kernel; this machine is $(uname -m)"
visible+=("$kernel")

modules=''
for candidate in "$kernel"/lib/modules/* "$kernel"/usr/lib/modules/*; do
	[ -d "$candidate" ] && modules=$candidate && break
done
[ -n "$modules" ] || complain "$kernel has no lib/modules; is it an unpacked linux-image package?"
release=$(basename "$modules")
vmlinuz=$kernel/boot/vmlinuz-$release
[ -f "$vmlinuz" ] || complain "there is no $vmlinuz"
[ -s "$modules/modules.dep.bin" ] || depmod -b "${modules%/lib/modules/*}" "$release"
busybox=$(command -v busybox) || complain "busybox is missing; install busybox-static"
virtiofsd=''
for candidate in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd; do
	[ -x "$candidate" ] && virtiofsd=$candidate && break
done
[ -n "$virtiofsd" ] || complain "virtiofsd is missing; it is in qemu-system-common, or a package of its own on newer systems"

mount -t tmpfs -o mode=700 scratch "$scratch"

# 1. What the guest sees: the root without anything that is mounted on it (/proc, /dev, ...), and those other mounts that
#    hold a wanted folder. The host enforces that none of it is written to.
root=$scratch/root
mkdir "$root"
mount --bind / "$root"
mount -o remount,bind,ro "$root"
mount_points() { # the mount points at and above a folder, but not /
	local point
	point=$(stat -c %m "$1")
	while [ "$point" != / ]; do
		echo "$point"
		point=$(stat -c %m "$(dirname "$point")")
	done
}
while read -r point; do
	mount --bind "$point" "$root$point"
	mount -o remount,bind,ro "$root$point"
done < <(for directory in "${visible[@]}"; do mount_points "$directory"; done | sort -u)

# 2. The initramfs: busybox, the modules without which the root cannot be mounted, and our two scripts.
initramfs=$scratch/initramfs
mkdir -p "$initramfs"/{bin,modules,dev}
mknod "$initramfs/dev/console" c 5 1 # without it what init says is lost
cp "$busybox" "$initramfs/bin/busybox"
for module in virtio_pci virtio_console overlay virtiofs; do
	# Dependencies come first; what is built in is listed as such, and passed over.
	{ modprobe -d "${modules%/lib/modules/*}" -S "$release" --show-depends "$module" || true; } | while read -r how path _; do
		name=$(basename "$path")
		name=${name%%.ko*}.ko
		[ "$how" = insmod ] && [ ! -e "$initramfs/modules/$name" ] || continue
		case $path in
		*.xz) xz -dc "$path" >"$initramfs/modules/$name" ;;
		*.zst) zstd -qdc "$path" >"$initramfs/modules/$name" ;;
		*) cp "$path" "$initramfs/modules/$name" ;;
		esac
		echo "$name" >>"$initramfs/modules/order"
	done
done
touch "$initramfs/modules/order"
install -m 755 "$here/guest/init.sh" "$initramfs/init"
install -m 755 "$here/guest/start.sh" "$initramfs/start"
printf 'RELEASE=%q\nMODULES=%q\nOUT=%q\n' "$release" "$modules" "$out" >"$initramfs/parameters"
{
	for assignment in "${environment[@]}"; do printf 'export %s=%q\n' "${assignment%%=*}" "${assignment#*=}"; done
	printf 'cd %q || exit 125\nexec' "$PWD"
	printf ' %q' "$@"
	echo
} >"$initramfs/command"
(cd "$initramfs" && find . | cpio -o -H newc --quiet) >"$scratch/initramfs.cpio"

# 3. File servers and QEMU. Port 1 of the serial bus carries the output, port 2 the exit status.
#    norandmaps: QEMU keeps translated code by its address in the process. With the same addresses in each process a program
#    is translated once; otherwise at each start, which is most of what a short one takes.
qemu=(
	-machine q35 -smp "$processors" -m "$memory" -nodefaults -no-user-config -display none -no-reboot -nic none
	-object "memory-backend-memfd,id=memory,size=${memory}M,share=on" -numa node,memdev=memory
	-kernel "$vmlinuz" -initrd "$scratch/initramfs.cpio"
	-append "console=ttyS0 ${verbose:+loglevel=6} ${verbose:-quiet} panic=-1 edd=off random.trust_cpu=on mitigations=off nokaslr norandmaps tsc=nowatchdog no_timer_check"
	-device virtio-rng-pci -device virtio-serial-pci,id=serial
	-chardev file,id=output,path=/dev/fd/3 -device virtserialport,bus=serial.0,nr=1,chardev=output
	-chardev "file,id=status,path=$scratch/status" -device virtserialport,bus=serial.0,nr=2,chardev=status
	-chardev "file,id=console,path=$scratch/console" -serial chardev:console
)
# erms would have the kernel copy and clear byte by byte, which QEMU emulates one by one; the others cost checks and levels of
# page tables in each access.
case $accelerator in
tcg) qemu+=(-accel tcg,thread=multi,tb-size=1024 -cpu max,-erms,-smap,-smep,-la57) ;;
kvm) qemu+=(-accel kvm -cpu host) ;;
*) complain "-a is tcg or kvm, not $accelerator" ;;
esac
: >"$scratch/console"
share() { # tag, folder, cache policy
	case $virtiofsd in
	*/qemu/*) "$virtiofsd" -f --socket-path="$scratch/$1.sock" -o "source=$2,cache=$3,log_level=err" ;;
	*) "$virtiofsd" --socket-path="$scratch/$1.sock" --shared-dir="$2" --cache="${3/none/never}" --log-level=error ;;
	esac >>"$scratch/console" 2>&1 &
	local tries
	for ((tries = 0; tries < 200; tries++)); do [ -S "$scratch/$1.sock" ] && break || sleep 0.05; done
	qemu+=(-chardev "socket,id=fs-$1,path=$scratch/$1.sock" -device "vhost-user-fs-pci,queue-size=1024,chardev=fs-$1,tag=$1")
}
share root "$root" always
[ -z "$out" ] || share out "$out" none
[ -z "$verbose" ] || tail -f "$scratch/console" >&2 &

# A pipe to the end: QEMU's file back end would truncate a file that standard output is redirected to.
exec 3> >(exec cat)
printer=$!
status=0
timeout --foreground -k 5 "$limit" qemu-system-x86_64 "${qemu[@]}" </dev/null >&2 || status=$?
exec 3>&-
wait $printer
if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
	echo "run-in-vm: the time limit of $limit s is over (Linux $release)" >&2
elif [ -s "$scratch/status" ]; then
	exit "$(cat "$scratch/status")"
fi
echo "run-in-vm: the guest gave no exit status (Linux $release). The end of its console:" >&2
tail -n 60 "$scratch/console" >&2
[ "$status" -eq 124 ] || [ "$status" -eq 137 ] && exit 124
exit 125
