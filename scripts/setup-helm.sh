#!/usr/bin/env bash
# The Helm that test/helm pins, into the cache. Where MILLRACE_HELM names another there is nothing to do.
set -euo pipefail
[ -z "${MILLRACE_HELM:-}" ] || exit 0
exec "$(dirname "$0")/build-go-program.sh" helm test/helm helm.sh/helm/v4/cmd/helm
