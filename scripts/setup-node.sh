#!/usr/bin/env bash
# Installs pnpm beside the checkout's caches and the Node modules of the workspace. Idempotent; touches nothing global.
# Needs a Node of any recent version with npm: the pinned Node 24 comes as a module.
set -euo pipefail
cd "$(dirname "$0")/.."

CACHE=${MILLRACE_CACHE:-$HOME/.cache/millrace}
# Not in package.json's "packageManager": pnpm would then want to fetch and lock itself, which differs from machine to machine.
PNPM_VERSION=12.21.0
pnpm=$CACHE/pnpm/node_modules/.bin/pnpm

if ! command -v npm >/dev/null 2>&1; then
	echo "setup: npm is missing. Install Node.js (>= 20) with npm, then run this again." >&2
	exit 1
fi

if [ "$("$pnpm" --version 2>/dev/null || echo none)" != "$PNPM_VERSION" ]; then
	echo "setup: installing pnpm $PNPM_VERSION into $CACHE/pnpm"
	mkdir -p "$CACHE/pnpm"
	npm install --silent --no-audit --no-fund --prefix "$CACHE/pnpm" "pnpm@$PNPM_VERSION"
fi

# The lockfile's copy under node_modules tells whether anything changed since the last install.
if ! cmp -s pnpm-lock.yaml node_modules/.pnpm/lock.yaml; then
	echo "setup: installing Node modules"
	out=$("$pnpm" install --frozen-lockfile 2>&1) || { printf '%s\n' "$out" >&2; exit 1; }
fi
