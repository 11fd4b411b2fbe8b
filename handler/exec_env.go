package handler

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"

	"duet.example/duet"
)

// inherited are the variables of this process that a program gets, in addition to those that begin with LC_.
var inherited = map[string]bool{
	"PATH": true, "HOME": true, "LANG": true, "LANGUAGE": true, "TERM": true, "TZ": true, "TMPDIR": true,
}

// inheritedWindows are the variables that a program needs on Windows.
var inheritedWindows = map[string]bool{
	"SYSTEMROOT": true, "SYSTEMDRIVE": true, "COMSPEC": true, "PATHEXT": true, "TEMP": true, "TMP": true, "USERPROFILE": true,
}

// ownEnvironment returns the variables of this process that each program gets.
func ownEnvironment() []string {
	env := []string{}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name)
			if inheritedWindows[name] {
				env = append(env, v)
			}
		}
		if inherited[name] || isLocale(name) {
			env = append(env, v)
		}
	}
	return env
}

// isLocale reports whether name is a variable like LC_ALL or LC_CTYPE.
func isLocale(name string) bool {
	rest, ok := strings.CutPrefix(name, "LC_")
	return ok && rest != "" && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

// environment returns the environment of the program of one conversation. All variables are set, so that a script can use them. A value that is
// unknown is empty.
func environment(c *duet.Conn, proto string) []string {
	remote, remotePort := hostPort(c.RemoteAddr())
	local, localPort := hostPort(c.LocalAddr())
	if proto == "" && c.LocalAddr() != nil {
		proto = c.LocalAddr().Network()
	}
	return append(
		ownEnvironment(),
		"DUET_REMOTE_ADDR="+remote, "DUET_REMOTE_PORT="+remotePort,
		"DUET_LOCAL_ADDR="+local, "DUET_LOCAL_PORT="+localPort,
		"DUET_PROTO="+plain(proto), "DUET_ID="+strconv.FormatUint(c.ID(), 10),
	)
}

// hostPort splits an address. It leaves out the zone, because that is a name which somebody gave an interface. The address of a socket in the
// file system is its path, and it has no port.
func hostPort(a net.Addr) (host, port string) {
	if a == nil {
		return "", ""
	}
	if a.Network() == "unix" {
		path := a.String()
		if path == "@" { // the socket has no path
			path = ""
		}
		return plain(path), ""
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return "", ""
	}
	return ap.Addr().Unmap().WithZone("").String(), strconv.Itoa(int(ap.Port()))
}

// plain returns s if all of it is printable ASCII, and otherwise an empty string.
func plain(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return ""
		}
	}
	return s
}
