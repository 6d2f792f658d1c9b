#!/usr/bin/env bash
# The ratios of this checkout beside those of another commit, HEAD's parent unless one is given, both built and measured in one run.
set -euo pipefail
cd "$(dirname "$0")/.."

commit=$(git rev-parse --verify --quiet "${1:-HEAD^}^{commit}") || {
	# The first commit, or a clone without history: the machinery runs all the same.
	echo "bench-compare: ${1:-HEAD^} is not in this clone; compared with HEAD itself"
	commit=$(git rev-parse HEAD)
}
bases=$MILLRACE_CACHE/bench-base
base=$bases/$commit
# Marked when it is whole; of others none is kept.
if [ ! -e "$base/.built" ]; then
	rm -rf "$bases"
	mkdir -p "$base"
	git archive "$commit" | tar -x -C "$base"
	echo "bench-compare: building $commit"
	make -s -C "$base" setup > "$base/setup.log" 2>&1 || {
		cat "$base/setup.log"
		exit 1
	}
	touch "$base/.built"
fi
git log -1 --format='bench-compare: with %h, %s' "$commit"
node --conditions=source bench/compare.ts --base "$base"
