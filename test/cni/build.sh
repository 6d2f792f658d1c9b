#!/usr/bin/env bash
# Builds what runs the CNI plugin in real chains: libcni's cnitool, and the plugins ptp, bridge and host-local. Prints the directory they
# are in, outside the checkout; what go.mod and the version of Go have not changed is not built again.
set -euo pipefail
cd "$(dirname "$0")"

CACHE=${MILLRACE_CACHE:-$HOME/.cache/millrace}
# plugins v1.7.1 asks for it in its go.mod.
go=$(../../scripts/go.sh 1.23)
programs=(
	github.com/containernetworking/cni/cnitool
	github.com/containernetworking/plugins/plugins/main/ptp
	github.com/containernetworking/plugins/plugins/main/bridge
	github.com/containernetworking/plugins/plugins/ipam/host-local
)
key=$({ cat go.mod go.sum build.sh; "$go" version; } | sha256sum | cut -c1-16)
out=$CACHE/cni/$key
if [ ! -d "$out" ]; then
	echo "cni: building cnitool and plugins into $out" >&2
	# Only a whole build gets the name.
	rm -rf "$out.new"
	mkdir -p "$out.new"
	GOTOOLCHAIN=local GOFLAGS=-mod=readonly CGO_ENABLED=0 GOCACHE=$CACHE/go-build \
		"$go" build -trimpath -ldflags='-s -w' -o "$out.new/" "${programs[@]}"
	mv "$out.new" "$out"
fi
echo "$out"
