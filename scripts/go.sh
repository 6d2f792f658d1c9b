#!/usr/bin/env bash
# Prints the path of a go command that is at least of the version given (go.sh 1.23): from the machine if there is one, else out of
# Debian's or Ubuntu's packages, unpacked privately into the cache. Installs nothing and changes no apt source. For modules under test/.
set -euo pipefail

CACHE=${MILLRACE_CACHE:-$HOME/.cache/millrace}
least=${1:-1.23}

version_of() { # "1.26.8"; without the toolchain that a go.mod around may ask for
	(cd / && GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) | sed -n 's/^go\([0-9.]*\).*/\1/p'
}

is_enough() { # whether the first version is at least the second
	[ -n "$1" ] && [ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# Debian keeps versions that are not the default one under /usr/lib.
for go in "$(command -v go || true)" /usr/lib/go-*/bin/go "$CACHE"/go/usr/lib/go-*/bin/go; do
	if [ -x "$go" ] && is_enough "$(version_of "$go")" "$least"; then
		echo "$go"
		exit 0
	fi
done

fail() {
	echo "go.sh: there is no Go of version $least or newer$1. Install one and put it into PATH." >&2
	exit 1
}
command -v apt-get >/dev/null 2>&1 || fail ""

# Lists of our own: where the system's know no version that is new enough, Debian's backports may, which few machines have enabled.
# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Codename: $codename" | head -n 1)
apt=$CACHE/apt
options=()
use_backports() {
	[ -n "$mirror" ] || return 1
	mkdir -p "$apt/lists/partial" "$apt/archives/partial"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $codename-backports main" >"$apt/sources.list"
	options=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$apt/lists"
		-o "Dir::Cache=$apt" -o APT::Sandbox::User=root)
	apt-get "${options[@]}" update >"$apt/log" 2>&1 || { cat "$apt/log" >&2; return 1; }
}

newest() { # the newest packaged version, as in golang-1.24-go
	local found
	found=$(apt-cache "${options[@]}" pkgnames golang-1. | sed -n 's/^golang-\(1\.[0-9]*\)-go$/\1/p' | sort -V | tail -n 1)
	is_enough "$found" "$(echo "$least" | cut -d. -f1,2)" && echo "$found"
}

found=$(newest) || { use_backports && found=$(newest); } || fail ", neither here nor in ${codename:-this system}'s packages"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "go.sh: unpacking Go $found into $CACHE/go" >&2
(cd "$work" && apt-get "${options[@]}" -o APT::Sandbox::User=root download "golang-$found-go" "golang-$found-src" >log 2>&1) || { cat "$work/log" >&2; exit 1; }
rm -rf "${CACHE:?}/go"
mkdir -p "$CACHE/go"
for package in "$work"/*.deb; do
	dpkg -x "$package" "$CACHE/go"
done
go=$CACHE/go/usr/lib/go-$found/bin/go
is_enough "$(version_of "$go")" "$least" || fail ": the one in golang-$found-go does not do"
echo "$go"
