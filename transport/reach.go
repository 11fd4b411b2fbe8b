package transport

import (
	"cmp"
	"net"
	"slices"
	"strconv"
)

// Reachable returns the addresses (host:port, or unix:PATH) at which l can be reached. For a listener on all interfaces
// they are the addresses of each interface that is up, loopback first. For any other listener it is the listener's own
// address.
func Reachable(l net.Listener) []string {
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		if l.Addr().Network() == "unix" {
			return []string{Address{Scheme: "unix", Path: l.Addr().String()}.String()}
		}
		return []string{l.Addr().String()}
	}
	own := []string{at.String()}
	if !at.IP.IsUnspecified() && at.IP != nil {
		return own
	}
	family := AnyFamily
	if at.IP.To4() != nil {
		family = IPv4
	} else if ours, ok := l.(*listener); ok {
		family = ours.family
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return own
	}
	var all []reach
	for _, in := range interfaces {
		if in.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := in.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if r, ok := reachOf(a, in.Name, family); ok {
				all = append(all, r)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b reach) int { return cmp.Compare(a.rank, b.rank) })
	var out []string
	for _, r := range all {
		s := net.JoinHostPort(r.host, strconv.Itoa(at.Port))
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return own
	}
	return out
}

// A reach is a host under which a listener can be reached.
type reach struct {
	host string
	rank int // 0: loopback; 1: works from everywhere; 2: needs a zone
}

// reachOf returns the reach of the address a of an interface. ok is false if a listener of the family is not reached there.
func reachOf(a net.Addr, zone string, family Family) (r reach, ok bool) {
	ipn, ok := a.(*net.IPNet)
	if !ok {
		return reach{}, false
	}
	v4 := ipn.IP.To4() != nil
	if v4 && family == IPv6 || !v4 && family == IPv4 {
		return reach{}, false
	}
	r = reach{host: ipn.IP.String(), rank: 1}
	switch {
	case ipn.IP.IsLoopback():
		r.rank = 0
	case !v4 && ipn.IP.IsLinkLocalUnicast():
		r.host += "%" + zone
		r.rank = 2
	}
	return r, true
}
