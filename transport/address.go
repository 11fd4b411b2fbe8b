package transport

import (
	"net"
	"strings"
)

// Address is an address to listen at or to connect to. Addresses can be compared with ==. The zero Address is not valid.
// [ParseAddress] makes an Address from text.
type Address struct {
	Scheme string // "tcp" or "unix"; empty: "tcp"
	Host   string // tcp: a name, or an IP address without brackets; empty: every interface (listen) or this machine (connect)
	Port   string // tcp: a number or the name of a service
	Path   string // unix: the socket's file; "@name" is an abstract name (Linux)
}

// DefaultListen and DefaultConnect are the addresses of the duet command if none is given.
var (
	DefaultListen  = Address{Scheme: "tcp", Port: "8080"}
	DefaultConnect = Address{Scheme: "tcp", Host: "localhost", Port: "8080"}
)

// String returns the shortest text that [ParseAddress] reads back as a. It is host:port, with brackets around an IPv6
// address, or unix:PATH.
func (a Address) String() string {
	if a.Scheme == "unix" {
		if strings.HasPrefix(a.Path, "//") {
			return "unix://" + a.Path
		}
		return "unix:" + a.Path
	}
	s := net.JoinHostPort(a.Host, a.Port)
	if isSchemeWord(a.Host) {
		return "tcp://" + s
	}
	return s
}

// Network returns the network's name in package net: "tcp" or "unix".
func (a Address) Network() string {
	if a.Scheme == "" {
		return "tcp"
	}
	return a.Scheme
}

// check refuses an address that ParseAddress cannot have returned.
func (a Address) check() error {
	switch a.Network() {
	case "tcp":
		if a.Port == "" {
			return &AddressError{a.String(), "no port"}
		}
		return nil
	case "unix":
		return checkPath(a.String(), a.Path)
	}
	return &SchemeError{a.Scheme}
}

// Family limits names and "every interface" to one version of IP. The zero Family allows both.
type Family int

// The families.
const (
	AnyFamily Family = iota
	IPv4
	IPv6
)

// network returns the name that package net has for TCP of this family.
func (f Family) network() string {
	switch f {
	case IPv4:
		return "tcp4"
	case IPv6:
		return "tcp6"
	}
	return "tcp"
}

// host returns the loopback address for localhost if the family is fixed, because some systems know localhost for one
// family only (RFC 6761, section 6.3). It returns other names unchanged.
func (f Family) host(name string) string {
	if strings.EqualFold(name, "localhost") {
		switch f {
		case IPv4:
			return "127.0.0.1"
		case IPv6:
			return "::1"
		}
	}
	return name
}
