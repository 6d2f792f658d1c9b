#!/usr/bin/env bash
# Formatting, lint rules and types of the TypeScript; style of the C; licence headers of it.
set -euo pipefail
cd "$(dirname "$0")/.."

biome check .
tsc -b
mapfile -t sources < <(git ls-files '*.c' '*.h')
[ ${#sources[@]} -eq 0 ] || clang-format --dry-run -Werror "${sources[@]}"

missing=0
licensed() { # by which licence, and the files
	local licence=$1
	shift
	while read -r file; do
		head -n 2 "$file" | grep -q "SPDX-License-Identifier: $licence" || { echo "$file: no SPDX line" >&2; missing=1; }
	done < <(git ls-files "$@")
}
licensed 'GPL-2.0-only OR BSD-2-Clause' 'bpf/*.c' 'bpf/*.h' '*.bpf.c'
licensed 'Apache-2.0' 'bench/*.c' 'bench/*.h' 'cni/*.c' 'cni/*.h'
[ $missing -eq 0 ]
echo "lint: clean"
