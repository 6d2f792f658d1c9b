#!/usr/bin/env bash
# The whole test suite, in the order in which a failure is cheapest to understand. Prints the counts of each part.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" -ne 0 ]; then
	echo "test: most tests need root (network namespaces, BPF). 'make test-unit' runs without." >&2
	exit 1
fi
vitest run --project unit
# What the tests of the BPF programs counted, and whether they came to every verdict.
MILLRACE_VERDICT_NOTES=$(mktemp)
export MILLRACE_VERDICT_NOTES
trap 'rm -f "$MILLRACE_VERDICT_NOTES"' EXIT
vitest run --project root
node --conditions=source bpf/test/coverage/main.ts "$MILLRACE_VERDICT_NOTES"
node --conditions=source bpf/test/fuzz/main.ts --frames 1000000
scripts/test-sanitized.sh
vitest run --project kubernetes --reporter default --reporter ./test/kubernetes/src/summary-reporter.ts
# Every behaviour, cold and warm, with each backend once; the other way of attaching and the other flavour cold only. 300 pods (30)
# once for each backend, and what `millrace explain` says: the way and the flavour are nothing to either. `make conformance` and
# `make matrix` leave nothing out. Then kube-proxy's other mode in the same flavour, for what it has a part in; and pods on a bridge,
# as flannel has them: what is switched there, and what is told by ports instead of interfaces.
# And the tutorial for authors of backends, as it stands there, outside of the workspace and from packed packages (`make test-plugins` tries other ways, too).
# Two at a time: each waits most of its time, in a lab of its own.
xargs --max-procs=2 --max-lines=1 scripts/test-part.sh <<'RUNS'
conformance run --backend iptables --flavour nft
conformance run --backend ebpf --attach tcx --except 30
conformance run --backend ebpf --attach clsact --temperature cold --except x-explain
plugins --tutorial
conformance run --backend iptables --flavour legacy --services iptables-legacy --temperature cold --except 27,30,x-explain
conformance run --backend iptables --flavour nft --services iptables-nft --only 2,2b,3,11,12,14
conformance run --backend iptables --flavour nft --pods bridge --bridge-nf 0 --temperature cold --only 1,2,4,7,8,9,13,14,17,20,22,24,x-unknown-address
conformance run --backend iptables --flavour nft --pods bridge --bridge-nf 1 --temperature warm --only 2b,7,8,11,14,x-icmp-errors
conformance run --backend ebpf --attach clsact --pods bridge --temperature warm --only 1,4,7,8,9,13,22,24
RUNS
# The documentation, as its readers see it.
scripts/build-site.sh
vitest run --project site
# What only other kernels show: the oldest and the newest of them, with Geneve.
node test/vm/dist/matrix/main.js --smoke --jobs 2
