#!/usr/bin/env bash
# One run of the conformance suite beside others: what it prints comes whole, when it has ended.
# Usage: scripts/conformance-part.sh [options of `conformance run`]
set -euo pipefail
cd "$(dirname "$0")/.."

# Half of the machine is another run's: bounds on what must come soon are those of a machine half as fast.
export MILLRACE_SLOW=${MILLRACE_SLOW:-2}

printed=$(mktemp)
trap 'rm -f "$printed"' EXIT
began=$SECONDS
status=0
node packages/conformance/dist/cli.js run "$@" >"$printed" 2>&1 || status=$?
# Whoever ends at the same time waits; this file itself is the lock.
exec 9<scripts/conformance-part.sh
flock 9
printf '\nconformance run %s\n' "$*"
cat "$printed"
printf 'conformance run %s: exit status %d, %d s\n' "$*" "$status" $((SECONDS - began))
exit "$status"
