//go:build !linux

package portowner

import (
	"context"
	"net/netip"
)

func find(context.Context, netip.Addr, uint16) (int, string, bool) { return 0, "", false }
