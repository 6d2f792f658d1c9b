#!/usr/bin/env bash
# The tests of libbpf-ts with an addon that ends the process at its first wrong access (AddressSanitizer) or undefined behaviour
# (UBSan). They come before Node is started, as Node itself is built without them.
set -euo pipefail
cd "$(dirname "$0")/.."

make -s -C packages/libbpf-ts sanitized test-objects
compiler=${CC:-cc}
LD_PRELOAD="$("$compiler" -print-file-name=libasan.so) $("$compiler" -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:quarantine_size_mb=8 UBSAN_OPTIONS=print_stacktrace=1 \
	LIBBPF_TS_ADDON=$PWD/packages/libbpf-ts/build/sanitized/bpf.node \
	vitest run --project root packages/libbpf-ts
