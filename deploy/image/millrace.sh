#!/bin/sh
# Young garbage may fill 16 MiB before it is collected, not 32: a replay of a long log takes a third less memory, and hardly more time. The
# agent, which has little to do most of the time, shares a node's memory with pods: docs/adr/0052.
main=/opt/millrace/packages/agent/dist/main.js
if [ "${1:-}" = agent ]; then
	export MALLOC_ARENA_MAX=2
	exec /usr/local/bin/node --max-semi-space-size=4 "$main" "$@"
fi
exec /usr/local/bin/node --max-semi-space-size=16 "$main" "$@"
