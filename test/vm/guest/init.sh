#!/bin/busybox sh
# First process of the guest, in the initramfs: mounts the host's root under a tmpfs overlay and hands over to start.sh there.

fail() { # no exit status is given: the host reports that
	echo "init: $*" >&2
	poweroff -f
}

/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin /proc /dev /lower /upper /new
/bin/busybox --install -s
mount -t proc proc /proc
mount -t devtmpfs dev /dev
. /parameters
while read -r module; do
	insmod "/modules/$module" || fail "cannot load $module"
done </modules/order

tries=0
until mount -t virtiofs -o ro root /lower 2>/dev/null; do
	tries=$((tries + 1))
	[ $tries -lt 50 ] || fail "cannot mount the host's root"
	sleep 0.1
done
mount -t tmpfs -o mode=755,size=75% upper /upper
mkdir /upper/data /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work overlay /new || fail "cannot mount the overlay"
if [ -n "$OUT" ]; then
	mkdir -p "/new$OUT"
	mount -t virtiofs out "/new$OUT" || fail "cannot mount $OUT"
fi
mkdir -p "/new/lib/modules/$RELEASE"
mount --bind "/lower$MODULES" "/new/lib/modules/$RELEASE" || fail "cannot mount the modules"
mount -t tmpfs -o mode=755 run /new/run
cp /command /start /new/run/
umount /proc
mount --move /dev /new/dev
# Not chroot: the modprobe that the kernel itself starts sees the root of the initial process.
exec switch_root /new /run/start
