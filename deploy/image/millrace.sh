#!/bin/sh
exec /usr/local/bin/node /opt/millrace/packages/agent/dist/main.js "$@"
