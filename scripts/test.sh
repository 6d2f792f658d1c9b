#!/usr/bin/env bash
# The whole test suite, in the order in which a failure is cheapest to understand. Prints the counts of each part.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" -ne 0 ]; then
	echo "test: most tests need root (network namespaces, BPF). 'make test-unit' runs without." >&2
	exit 1
fi
vitest run --project unit
vitest run --project root
for attach in tcx clsact; do
	node --conditions=source packages/conformance/src/cli.ts run --backend ebpf --attach "$attach"
done
