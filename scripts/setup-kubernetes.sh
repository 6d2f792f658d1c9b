#!/usr/bin/env bash
# The control plane of the Kubernetes tests, into the cache: kube-apiserver as test/kubernetes pins it, and etcd from Debian's or Ubuntu's
# packages. Idempotent: what is there for this pin already is not made again. Where KUBEBUILDER_ASSETS (envtest's convention) names a
# directory with both, there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/.."

CACHE=${MILLRACE_CACHE:-$HOME/.cache/millrace}
to=$CACHE/control-plane
pin=$(cat test/kubernetes/go.mod test/kubernetes/go.sum | sha256sum | cut -d ' ' -f 1)

[ -z "${KUBEBUILDER_ASSETS:-}" ] || exit 0
mkdir -p "$to"

# Debian starts etcd as a service when the package is installed; the tests want the program alone, so it is only unpacked.
if [ ! -x "$to/etcd" ]; then
	command -v apt-get >/dev/null || { echo "setup: no apt here: set KUBEBUILDER_ASSETS to a directory with etcd and kube-apiserver" >&2; exit 1; }
	apt-cache show etcd-server >/dev/null 2>&1 || apt-get -qq update
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	echo "setup: unpacking etcd into $to"
	(cd "$work" && apt-get -o APT::Sandbox::User=root download etcd-server >log 2>&1) || { cat "$work/log" >&2; exit 1; }
	dpkg -x "$work"/etcd-server_*.deb "$work/root"
	mv "$work/root/usr/bin/etcd" "$to/etcd"
fi

[ "$(cat "$to/pin" 2>/dev/null)" != "$pin" ] || [ ! -x "$to/kube-apiserver" ] || exit 0
version=$(sed -n 's/^.*k8s.io\/kubernetes \(v[^ ]*\).*$/\1/p' test/kubernetes/go.mod)
minor=${version#v1.}
echo "setup: building kube-apiserver $version (once; some six minutes of CPU time)"
go=$(scripts/go.sh)
# The version is what Kubernetes' own build stamps (hack/lib/version.sh). No symbols: a third of the size. Settings of whoever runs
# this must not change what is built; a Go older than go.mod asks for gets the newer one from the module proxy.
stamp=k8s.io/component-base/version
(cd test/kubernetes && GOFLAGS=-mod=readonly GOTOOLCHAIN=auto CGO_ENABLED=0 nice "$go" build -trimpath \
	-ldflags "-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*}" \
	-o "$to/kube-apiserver.new" k8s.io/kubernetes/cmd/kube-apiserver)
mv "$to/kube-apiserver.new" "$to/kube-apiserver"
echo "$pin" >"$to/pin"
