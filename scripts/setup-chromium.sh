#!/usr/bin/env bash
# The browser that looks at the documentation's site: Debian's or Ubuntu's own. Idempotent; a test tool's download of one is not needed.
set -euo pipefail

command -v chromium >/dev/null && exit 0
command -v apt-get >/dev/null || { echo "setup: no chromium and no apt here: install Chromium, then run this again" >&2; exit 1; }
apt-cache show chromium >/dev/null 2>&1 || apt-get -qq update
echo "setup: installing chromium"
log=$(DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends chromium 2>&1) || { printf '%s\n' "$log" >&2; exit 1; }
