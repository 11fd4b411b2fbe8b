package duet

import "bytes"

// sniff names the protocol that a peer's first bytes look like: TLS, HTTP or SSH, which programs often speak to a plain port by mistake.
// It returns the empty string for all others.
func sniff(b []byte) string {
	switch {
	case len(b) >= 3 && (b[0] == 0x16 || b[0] == 0x15) && b[1] == 0x03 && b[2] <= 0x04:
		return "TLS" // RFC 8446 section 5.1: handshake or alert record, version 3.x
	case bytes.HasPrefix(b, []byte("HTTP/1.")), isHTTPRequest(b):
		return "HTTP"
	case bytes.HasPrefix(b, []byte("SSH-2.0-")):
		return "SSH"
	}
	return ""
}

// isHTTPRequest reports whether b begins with the first line of an HTTP request.
func isHTTPRequest(b []byte) bool {
	const version = len(" HTTP/1.1")
	end := bytes.Index(b, []byte("\r\n"))
	if end < version {
		return bytes.HasPrefix(b, []byte("PRI * HTTP/2.0"))
	}
	switch string(b[end-version : end]) {
	case " HTTP/1.1", " HTTP/1.0":
	default:
		return bytes.HasPrefix(b, []byte("PRI * HTTP/2.0"))
	}
	switch string(b[:bytes.IndexByte(b, ' ')]) {
	case "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH":
		return true
	}
	return false
}
