#!/usr/bin/env bash
# Keeps a log among the golden incidents: add-incident.sh NAME FILE. FILE is what `millrace log export` wrote, or an agent's own log.
# With REDACT=1 (of an agent's own log only) names and addresses are replaced.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
name=${1:?usage: add-incident.sh NAME FILE}
file=${2:?usage: add-incident.sh NAME FILE}
# The command takes every MILLRACE_* variable for a setting; make's are none.
mapfile -t ours < <(compgen -e MILLRACE_ || true)
[ "${#ours[@]}" -eq 0 ] || unset "${ours[@]}"
millrace() { node "$root/packages/agent/dist/main.js" "$@"; }

target=$root/test/incidents/$name.jsonl
if [ -e "$target" ]; then
	echo "add-incident: $target is there already" >&2
	exit 2
fi
partial=$(mktemp "$target.XXXXXX")
trap 'rm -f "$partial"' EXIT
if [ "$(head -c 15 "$file")" = "SQLite format 3" ]; then
	millrace log export --event-log-path "$file" ${REDACT:+--redact} >"$partial"
else
	if [ -n "${REDACT:-}" ]; then
		echo "add-incident: export it with --redact: only an agent's own log can be redacted here" >&2
		exit 2
	fi
	cp "$file" "$partial"
fi
millrace replay --verify "$partial"
chmod 644 "$partial"
mv "$partial" "$target"
echo "add-incident: $target; say in test/incidents/README.md what happened"
