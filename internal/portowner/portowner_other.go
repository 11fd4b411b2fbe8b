//go:build !linux

package portowner

import "net/netip"

func find(netip.Addr, uint16) (int, string, bool) { return 0, "", false }
