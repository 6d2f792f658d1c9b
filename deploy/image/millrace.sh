#!/bin/sh
# Young garbage may fill 16 MiB before it is collected, not 32: a replay of a long log takes a third less memory, and hardly more time.
exec /usr/local/bin/node --max-semi-space-size=16 /opt/millrace/packages/agent/dist/main.js "$@"
