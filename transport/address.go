package transport

import (
	"net"
	"strings"
)

// Address is where to listen or whom to connect to. It is a comparable value; the zero Address is
// none. [ParseAddress] makes one from text.
type Address struct {
	Scheme string // "tcp" or "unix"; empty counts as "tcp"
	Host   string // tcp: a name or an IP without brackets; empty means every interface (listen) or this machine (connect)
	Port   string // tcp: number or service name
	Path   string // unix: the socket's file; "@name" is abstract (Linux)
}

// DefaultListen and DefaultConnect are the addresses duet takes where none is given.
var (
	DefaultListen  = Address{Scheme: "tcp", Port: "8080"}
	DefaultConnect = Address{Scheme: "tcp", Host: "localhost", Port: "8080"}
)

// String is the shortest text that [ParseAddress] reads back as a: host:port, with brackets around an
// IPv6 address, or unix:PATH.
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

// Network is the network's name for package net: "tcp" or "unix".
func (a Address) Network() string {
	if a.Scheme == "" {
		return "tcp"
	}
	return a.Scheme
}

// check refuses what did not come from ParseAddress and could not have.
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

// Family narrows names and "every interface" to one version of IP. The zero Family takes both.
type Family int

// The families.
const (
	AnyFamily Family = iota
	IPv4
	IPv6
)

// network is the name of a TCP network of this family for package net.
func (f Family) network() string {
	switch f {
	case IPv4:
		return "tcp4"
	case IPv6:
		return "tcp6"
	}
	return "tcp"
}

// host is the loopback address for localhost where a family is wanted: not every system's table of
// names has both (RFC 6761, section 6.3).
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
