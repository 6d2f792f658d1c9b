#!/usr/bin/env bash
# In the guest: puts programs in one file each in the place of the checkout's (see src/bundle.ts; only the guest sees it),
# lets Node keep what it compiled, and runs a command.
#
#   with-bundles.sh CHECKOUT BUNDLES COMMAND [ARG...]
set -euo pipefail

cd "$1"
cp -r "$2/." .
shift 2
export NODE_COMPILE_CACHE=/var/tmp/node-compile-cache
# Programs that a test kills never write what they compiled; these end by themselves.
node packages/agent/dist/main.js --version >/dev/null
node packages/conformance/dist/programs/bin/endpoint.js </dev/null >/dev/null
exec "$@"
