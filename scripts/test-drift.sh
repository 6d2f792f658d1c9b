#!/usr/bin/env bash
# Strikes every kind of kernel object of both backends: see docs/drift.md. Arguments: variants (default: all), and an expression that chooses strikes.
set -euo pipefail

cd "$(dirname "$0")/.."
variants=${1:-ebpf-tcx ebpf-clsact iptables-nft iptables-legacy}
only=${2:-}

status=0
for variant in $variants; do
	case $variant in
	ebpf-tcx | ebpf-clsact) options=(--backend ebpf --attach "${variant#ebpf-}") ;;
	iptables-nft | iptables-legacy) options=(--backend iptables --flavour "${variant#iptables-}") ;;
	*)
		echo "test-drift: there is no variant $variant: ebpf-tcx, ebpf-clsact, iptables-nft, iptables-legacy" >&2
		exit 2
		;;
	esac
	[ -z "$only" ] || options+=(--only "$only")
	echo "== $variant"
	node packages/conformance/dist/drift/cli.js "${options[@]}" || status=1
done
exit $status
