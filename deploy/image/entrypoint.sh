#!/bin/sh
# Runs millrace. In a container that is not privileged /proc/sys is mounted read-only (OCI runtime specification, readonlyPaths), and
# no volume may be mounted into /proc (runc, checkProcMount). So the chart mounts the node's /proc/sys/net beside it, and here it is laid
# over the read-only one. Whose network namespace is meant is decided by who opens a file there, not by the mount.
set -eu

if [ -d /host/proc/sys/net ]; then
	mount --bind /host/proc/sys/net /proc/sys/net
fi
exec millrace "$@"
