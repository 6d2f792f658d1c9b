#!/usr/bin/env bash
# Runs the conformance suite, and what tests the choice of a backend, several times in one guest, or on this machine.
#
#   conformance.sh [-b BUNDLES] RESULTS RUN...
#     -b BUNDLES  lay these programs over the checkout's (see src/bundle.ts); only in a guest, whose files nobody else sees
#     RESULTS     folder for one report per run
#     RUN         "name: arguments of the conformance command"; "selection:" and "smoke: arguments" are programs of their own
#
# Exit status: 0 when all runs passed.
set -uo pipefail

cd "$(dirname "$0")/../../.." || exit 125
if [ "$1" = -b ]; then
	cp -r "$2/." .
	shift 2
	# What is started all the time is copied to memory: to open a file of the host's the guest asks the host each time.
	for program in bash curl grep ip ip6tables-nft-save iptables-legacy-save ipset nft nsenter sed sh sysctl tc unshare; do
		path=$(readlink -f "$(command -v "$program")") || continue
		echo "$path"
		ldd "$path" | grep -o '/[^ ]*' | xargs readlink -f
	done | sort -u | xargs touch /etc/ld.so.cache
	export NODE_COMPILE_CACHE=/var/tmp/node-compile-cache
	# Programs that a test kills never write what they compiled; these end by themselves.
	node packages/agent/dist/main.js --version >/dev/null || exit 125
	node packages/conformance/dist/programs/bin/endpoint.js </dev/null >/dev/null || exit 125
fi
results=$1
shift
status=0
for run in "$@"; do
	name=${run%%:*}
	read -r -a arguments <<<"${run#*:}"
	case $name in
	selection | smoke) program=(test/vm/dist/selection/main.js "$name") ;;
	*) program=(packages/conformance/dist/cli.js run) ;;
	esac
	echo "== $name on Linux $(uname -r)"
	node "${program[@]}" "${arguments[@]}" --report "$results/$name.json" || status=1
done
exit $status
