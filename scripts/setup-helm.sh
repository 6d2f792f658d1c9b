#!/usr/bin/env bash
# Builds the Helm that test/helm pins into the cache. Idempotent: what is built for this pin already is not built again.
set -euo pipefail
cd "$(dirname "$0")/.."

CACHE=${MILLRACE_CACHE:-$HOME/.cache/millrace}
helm=$CACHE/helm/helm
pin=$(cat test/helm/go.mod test/helm/go.sum | sha256sum | cut -d ' ' -f 1)

[ -z "${MILLRACE_HELM:-}" ] || exit 0
[ "$(cat "$CACHE/helm/pin" 2>/dev/null)" != "$pin" ] || [ ! -x "$helm" ] || exit 0

go=$(scripts/go.sh)
mkdir -p "$CACHE/helm"
echo "setup: building Helm $(sed -n 's/^.*helm.sh\/helm\/v[0-9]* \(v[^ ]*\).*$/\1/p' test/helm/go.mod)"
# No symbols: a third of the size. Settings of whoever runs this must not change what is built; a Go older than go.mod asks for
# gets the newer one from the module proxy.
(cd test/helm && GOFLAGS=-mod=readonly GOTOOLCHAIN=auto CGO_ENABLED=0 "$go" build -trimpath -ldflags '-s -w' -o "$helm.new" helm.sh/helm/v4/cmd/helm)
mv "$helm.new" "$helm"
echo "$pin" >"$CACHE/helm/pin"
