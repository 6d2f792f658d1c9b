#!/usr/bin/env bash
# Formatting, lint rules and types of the TypeScript; style of the C; licence headers of the BPF code.
set -euo pipefail
cd "$(dirname "$0")/.."

biome check .
tsc -b
mapfile -t sources < <(git ls-files '*.c' '*.h')
[ ${#sources[@]} -eq 0 ] || clang-format --dry-run -Werror "${sources[@]}"

missing=0
while read -r file; do
	head -n 2 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause' || { echo "$file: no SPDX line" >&2; missing=1; }
done < <(git ls-files 'bpf/*.c' 'bpf/*.h' '*.bpf.c')
[ $missing -eq 0 ]
echo "lint: clean"
