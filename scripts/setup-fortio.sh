#!/usr/bin/env bash
# Builds the Fortio that bench/fortio pins into the cache. Idempotent: what is built for this pin already is not built again.
set -euo pipefail
cd "$(dirname "$0")/.."

CACHE=${MILLRACE_CACHE:-$HOME/.cache/millrace}
fortio=$CACHE/fortio/fortio
pin=$(cat bench/fortio/go.mod bench/fortio/go.sum | sha256sum | cut -d ' ' -f 1)

[ -z "${MILLRACE_FORTIO:-}" ] || exit 0
[ "$(cat "$CACHE/fortio/pin" 2>/dev/null)" != "$pin" ] || [ ! -x "$fortio" ] || exit 0

go=$(scripts/go.sh)
mkdir -p "$CACHE/fortio"
echo "setup: building Fortio $(sed -n 's/^.*fortio.org\/fortio \(v[^ ]*\).*$/\1/p' bench/fortio/go.mod)"
# No symbols: a third of the size. Settings of whoever runs this must not change what is built; a Go older than go.mod asks for
# gets the newer one from the module proxy.
(cd bench/fortio && GOFLAGS=-mod=readonly GOTOOLCHAIN=auto CGO_ENABLED=0 "$go" build -trimpath -ldflags '-s -w' -o "$fortio.new" fortio.org/fortio)
mv "$fortio.new" "$fortio"
echo "$pin" >"$CACHE/fortio/pin"
