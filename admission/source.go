package admission

import (
	"net"
	"net/netip"
	"strings"
)

// An endpoint is the part of a peer's address that a gate uses.
type endpoint struct {
	netip.AddrPort      // a mapped IPv4 address is IPv4; not valid if the peer has no IP address
	local          bool // the network is not IP
}

// endpointOf returns the endpoint of an address. A network that is not IP, such as unix, is local: its socket decides who can
// connect.
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

// source returns the host for which limits count: an IPv4 address, or an IPv6 network of 64 bits, because one host can use
// all addresses of its network.
func (e endpoint) source() netip.Prefix {
	a := e.Addr()
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}
