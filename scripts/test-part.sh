#!/usr/bin/env bash
# One part of the test suite beside another: what it prints comes whole, when it has ended.
# Usage: scripts/test-part.sh conformance run [options] | plugins [options]
set -euo pipefail
cd "$(dirname "$0")/.."

case $1 in
conformance) program=packages/conformance/dist/cli.js ;;
plugins) program=test/plugins/dist/main.js ;;
*)
	echo "test-part: there is no part '$1', only conformance and plugins" >&2
	exit 2
	;;
esac

# Half of the machine is another part's: bounds on what must come soon are those of a machine half as fast. (A stranger knows nothing of that.)
export MILLRACE_SLOW=${MILLRACE_SLOW:-2}

printed=$(mktemp)
trap 'rm -f "$printed"' EXIT
began=$SECONDS
status=0
node "$program" "${@:2}" >"$printed" 2>&1 || status=$?
# Whoever ends at the same time waits; this file itself is the lock.
exec 9<scripts/test-part.sh
flock 9
printf '\n%s\n' "$*"
cat "$printed"
printf '%s: exit status %d, %d s\n' "$*" "$status" $((SECONDS - began))
exit "$status"
