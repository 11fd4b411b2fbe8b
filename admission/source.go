package admission

import (
	"net"
	"net/netip"
	"strings"
)

// An endpoint is a peer's address as far as a gate looks at it.
type endpoint struct {
	netip.AddrPort // IPv4 where it was mapped; not valid where the peer has no IP address
	local          bool
}

// endpointOf reads an address. A peer is local where its network is none of IP (unix, memory): such peers
// are let in by whoever may open their socket.
func endpointOf(addr net.Addr) endpoint {
	if addr == nil {
		return endpoint{}
	}
	network := addr.Network()
	if !strings.HasPrefix(network, "tcp") && !strings.HasPrefix(network, "udp") && !strings.HasPrefix(network, "ip") {
		return endpoint{local: true}
	}
	var ap netip.AddrPort
	switch a := addr.(type) {
	case interface{ AddrPort() netip.AddrPort }: // *net.TCPAddr, *net.UDPAddr
		ap = a.AddrPort()
	default:
		ap, _ = netip.ParseAddrPort(addr.String())
	}
	return endpoint{AddrPort: netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())}
}

// source is what limits per host count by: an IPv4 address, or a network of IPv6 of 64 bits,
// which one host has at its will.
func (e endpoint) source() netip.Prefix {
	a := e.Addr()
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}
