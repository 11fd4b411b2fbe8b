// Package portowner finds out who holds a TCP port, for the hint under "address already in use".
package portowner

import (
	"context"
	"net"
	"net/netip"
	"strconv"
)

// Find names the process that listens on a TCP port of this machine: network is "tcp", "tcp4" or "tcp6",
// address is host:port with a number. A host that is no IP counts as any. It answers on Linux only, sees
// the processes of other users only if this one may. If ctx ends first, ok is false.
func Find(ctx context.Context, network, address string) (pid int, name string, ok bool) {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return 0, "", false
	}
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return 0, "", false
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return 0, "", false
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		ip = netip.Addr{}
	}
	return find(ctx, ip.WithZone("").Unmap(), uint16(port))
}
