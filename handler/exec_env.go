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

// inherited are the variables of our own that a program gets, beside those that begin with LC_.
var inherited = map[string]bool{
	"PATH": true, "HOME": true, "LANG": true, "LANGUAGE": true, "TERM": true, "TZ": true, "TMPDIR": true,
}

// inheritedWindows are what a program cannot do without there.
var inheritedWindows = map[string]bool{
	"SYSTEMROOT": true, "SYSTEMDRIVE": true, "COMSPEC": true, "PATHEXT": true, "TEMP": true, "TMP": true, "USERPROFILE": true,
}

// ownEnvironment is what of our environment any program gets.
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

// isLocale: LC_ALL, LC_CTYPE and the like.
func isLocale(name string) bool {
	rest, ok := strings.CutPrefix(name, "LC_")
	return ok && rest != "" && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

// environment is what the program of one conversation gets. All of the names are there, so that a script can ask for
// them; what is unknown is empty.
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

// hostPort takes an address apart. A zone is no part of it, for it is a name that somebody gave an interface; the
// address of a socket in the file system is its path, and it has no port.
func hostPort(a net.Addr) (host, port string) {
	if a == nil {
		return "", ""
	}
	if a.Network() == "unix" {
		path := a.String()
		if path == "@" { // it has none
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

// plain is s where all of it is printable ASCII, otherwise nothing.
func plain(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return ""
		}
	}
	return s
}
