#!/usr/bin/env bash
# build-go-program.sh NAME MODULE PACKAGE: builds the program of a package that MODULE, a directory of this repository with a go.mod, pins, as
# NAME/NAME in the cache. Idempotent: what is built for this pin already is not built again.
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1 module=$2 package=$3
to=${MILLRACE_CACHE:-$HOME/.cache/millrace}/$name
pin=$(cat "$module/go.mod" "$module/go.sum" | sha256sum | cut -d ' ' -f 1)
[ "$(cat "$to/pin" 2>/dev/null)" != "$pin" ] || [ ! -x "$to/$name" ] || exit 0

go=$(scripts/go.sh)
mkdir -p "$to"
echo "setup: building $name ($package, pinned by $module)"
# No symbols: a third of the size. Settings of whoever runs this must not change what is built; a Go older than go.mod asks for
# gets the newer one from the module proxy.
(cd "$module" && GOFLAGS=-mod=readonly GOTOOLCHAIN=auto CGO_ENABLED=0 "$go" build -trimpath -ldflags '-s -w' -o "$to/$name.new" "$package")
mv "$to/$name.new" "$to/$name"
echo "$pin" >"$to/pin"
