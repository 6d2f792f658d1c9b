#!/usr/bin/env bash
# The Fortio that bench/fortio pins, into the cache. Where MILLRACE_FORTIO names another there is nothing to do.
set -euo pipefail
[ -z "${MILLRACE_FORTIO:-}" ] || exit 0
exec "$(dirname "$0")/build-go-program.sh" fortio bench/fortio fortio.org/fortio
