package transport

import (
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isSchemeWord reports whether s is a scheme even if only a colon follows it: udp:53 is not the host udp.
func isSchemeWord(s string) bool {
	s = strings.ToLower(s)
	return s == "tcp" || s == "unix" || isPlanned(s)
}

// isPlanned reports whether a later version is to support the scheme, which is in lower case.
func isPlanned(scheme string) bool {
	return scheme == "udp" || scheme == "tls" || scheme == "ws" || scheme == "wss"
}

// ParseAddress reads an address as people type it:
//
//	host:port   :port   port   host   [::1]:port   [::1]   host port (two words)
//	tcp://host:port   unix:/path   unix:relative   unix:@name   unix:///path
//
// A host or port that is not given comes from def. Without words, def is the address. A single word of digits is a port.
// Any other single word without a colon is a host. An IPv6 address needs brackets in one word, because ::1:8080 is an
// address too. As the first of two words it needs none. All bytes after unix: or unix:// are the path.
//
// The errors are *AddressError and *SchemeError.
func ParseAddress(def Address, words ...string) (Address, error) {
	switch len(words) {
	case 0:
		return def, def.check()
	case 1:
		return parseWord(def, words[0])
	case 2:
		return parseHostPort(def, strings.Join(words, " "), unbracket(words[0]), words[1])
	}
	return Address{}, &AddressError{strings.Join(words, " "), "too many words: an address is host:port, or host and port"}
}

func parseWord(def Address, text string) (Address, error) {
	rest := text
	url := false
	if scheme, after, ok := strings.Cut(text, ":"); ok {
		url = strings.HasPrefix(after, "//")
		name := strings.ToLower(scheme)
		switch {
		case url && !isSchemeName(name):
			return Address{}, &AddressError{text, "what stands before :// is no scheme"}
		case name == "unix":
			return parseUnix(text, strings.TrimPrefix(after, "//"))
		case name == "tcp":
			rest = strings.TrimPrefix(after, "//")
		case url || isPlanned(name):
			return Address{}, &SchemeError{name}
		}
	}
	if url {
		rest = strings.TrimSuffix(rest, "/")
		if strings.HasPrefix(rest, "[") {
			// A URL writes the percent sign before a zone as %25 (RFC 6874).
			rest = strings.Replace(rest, "%25", "%", 1)
		}
	}
	host, port, err := splitHostPort(text, rest)
	if err != nil {
		return Address{}, err
	}
	return parseHostPort(def, text, host, port)
}

// splitHostPort splits s at the one colon that can precede a port.
func splitHostPort(text, s string) (host, port string, err error) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", &AddressError{text, "the bracket [ is not closed"}
		}
		host, after := s[1:end], s[end+1:]
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return "", "", &AddressError{text, "only an IPv6 address stands in brackets"}
		}
		if after != "" && after[0] != ':' {
			return "", "", &AddressError{text, "after the bracket ] only :port can follow"}
		}
		return host, strings.TrimPrefix(after, ":"), nil
	}
	switch strings.Count(s, ":") {
	case 0:
		if isDigits(s) {
			return "", s, nil
		}
		return s, "", nil
	case 1:
		host, port, _ = strings.Cut(s, ":")
		return host, port, nil
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return "", "", &AddressError{text, "an IPv6 address stands in brackets: [" + s + "] or [" + s + "]:port"}
	}
	return "", "", &AddressError{text, "too many colons"}
}

func parseHostPort(def Address, text, host, port string) (Address, error) {
	if host == "" {
		host = def.Host
	}
	if port == "" {
		port = def.Port
	}
	if err := checkHost(text, host); err != nil {
		return Address{}, err
	}
	port, err := checkPort(text, port)
	if err != nil {
		return Address{}, err
	}
	return Address{Scheme: "tcp", Host: host, Port: port}, nil
}

func parseUnix(text, path string) (Address, error) {
	if err := checkPath(text, path); err != nil {
		return Address{}, err
	}
	return Address{Scheme: "unix", Path: path}, nil
}

func checkHost(text, host string) error {
	switch {
	case len(host) > 253:
		return &AddressError{text, "the host is longer than 253 bytes"}
	case !utf8.ValidString(host):
		return &AddressError{text, "the host is not UTF-8"}
	}
	v6 := false
	if strings.Contains(host, ":") {
		if ip, err := netip.ParseAddr(host); err != nil || !ip.Is6() {
			return &AddressError{text, "the host is no IPv6 address, and no other host holds a colon"}
		}
		v6 = true
	}
	for _, r := range host {
		if r == '@' {
			return &AddressError{text, "an address names no user"}
		}
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) || strings.ContainsRune(`/\?#[]"'<>|,;{}^`+"`", r) || r == '%' && !v6 {
			return &AddressError{text, "the host holds " + strconv.QuoteRune(r)}
		}
	}
	return nil
}

func checkPort(text, port string) (string, error) {
	if port == "" {
		return "", &AddressError{text, "no port"}
	}
	if isDigits(port) {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return "", &AddressError{text, "a port is a number from 0 to 65535"}
		}
		return strconv.FormatUint(n, 10), nil
	}
	// The name of a service has letters, digits and hyphens (RFC 6335). Some systems also use other characters.
	for i := range len(port) {
		c := port[i]
		if !isAlnum(c) && (i == 0 || !strings.ContainsRune("-_+.", rune(c))) {
			return "", &AddressError{text, "the port is neither a number nor the name of a service"}
		}
	}
	return port, nil
}

func checkPath(text, path string) error {
	switch {
	case path == "" || path == "@":
		return &AddressError{text, "no path for the unix socket"}
	case strings.Contains(path, "\x00"):
		return &AddressError{text, "the path holds a zero byte"}
	case len(path) > maxUnixPath:
		return &AddressError{text, "the path of a unix socket has at most " + strconv.Itoa(maxUnixPath) + " bytes here"}
	case path[0] == '@' && runtime.GOOS != "linux":
		return &AddressError{text, "abstract unix sockets are a thing of Linux; write ./@name for a file of that name"}
	}
	return nil
}

func unbracket(s string) string {
	if len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']' && strings.Contains(s, ":") {
		return s[1 : len(s)-1]
	}
	return s
}

// isSchemeName reports whether s, in lower case, can be a scheme by RFC 3986, section 3.1.
func isSchemeName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isAlnum(c) && (i == 0 || !strings.ContainsRune("+-.", rune(c))) {
			return false
		}
	}
	return s != "" && (s[0] < '0' || s[0] > '9')
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
