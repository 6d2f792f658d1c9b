//go:build programs

// Package programs names what build.sh builds, so that go.mod and go.sum hold all that they need. It is never built itself.
package programs

import (
	_ "github.com/containernetworking/cni/cnitool"
	_ "github.com/containernetworking/plugins/plugins/ipam/host-local"
	_ "github.com/containernetworking/plugins/plugins/main/bridge"
	_ "github.com/containernetworking/plugins/plugins/main/ptp"
)
