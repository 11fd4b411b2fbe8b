package transport_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"duet.example/duet/transport"
)

func tcp(host, port string) transport.Address {
	return transport.Address{Scheme: "tcp", Host: host, Port: port}
}

func unixAt(path string) transport.Address {
	return transport.Address{Scheme: "unix", Path: path}
}

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct {
		words []string
		want  transport.Address
	}{
		{nil, tcp("def", "7")},
		{[]string{""}, tcp("def", "7")},
		{[]string{"localhost:8080"}, tcp("localhost", "8080")},
		{[]string{"192.168.1.10:8080"}, tcp("192.168.1.10", "8080")},
		{[]string{":8080"}, tcp("def", "8080")},
		{[]string{"8080"}, tcp("def", "8080")},
		{[]string{"0"}, tcp("def", "0")},
		{[]string{"65535"}, tcp("def", "65535")},
		{[]string{"00080"}, tcp("def", "80")},
		{[]string{"example.com"}, tcp("example.com", "7")},
		{[]string{"127.0.0.1"}, tcp("127.0.0.1", "7")},
		{[]string{"example.com:"}, tcp("example.com", "7")},
		{[]string{":"}, tcp("def", "7")},
		{[]string{"example.com:http"}, tcp("example.com", "http")},
		{[]string{":http-alt"}, tcp("def", "http-alt")},
		{[]string{"[::1]:8080"}, tcp("::1", "8080")},
		{[]string{"[::1]"}, tcp("::1", "7")},
		{[]string{"[::]:8080"}, tcp("::", "8080")},
		{[]string{"[fe80::1%eth0]:80"}, tcp("fe80::1%eth0", "80")},
		{[]string{"my_host:80"}, tcp("my_host", "80")},
		{[]string{"bücher.example:80"}, tcp("bücher.example", "80")},
		{[]string{"localhost", "8080"}, tcp("localhost", "8080")},
		{[]string{"::1", "8080"}, tcp("::1", "8080")},
		{[]string{"[::1]", "8080"}, tcp("::1", "8080")},
		{[]string{"", "8080"}, tcp("def", "8080")},
		{[]string{"udp", "8080"}, tcp("udp", "8080")},
		{[]string{"tcp://localhost:8080"}, tcp("localhost", "8080")},
		{[]string{"tcp://localhost:8080/"}, tcp("localhost", "8080")},
		{[]string{"TCP://localhost:8080"}, tcp("localhost", "8080")},
		{[]string{"tcp://:8080"}, tcp("def", "8080")},
		{[]string{"tcp://[::1]:8080"}, tcp("::1", "8080")},
		{[]string{"tcp://[fe80::1%25eth0]:80"}, tcp("fe80::1%eth0", "80")},
		{[]string{"tcp:localhost:8080"}, tcp("localhost", "8080")},
		{[]string{"tcp:8080"}, tcp("def", "8080")},
		{[]string{"http:8080"}, tcp("http", "8080")},
		{[]string{"unix:/run/duet.sock"}, unixAt("/run/duet.sock")},
		{[]string{"unix:relative"}, unixAt("relative")},
		{[]string{"unix:8080"}, unixAt("8080")},
		{[]string{"unix:a b:c"}, unixAt("a b:c")},
		{[]string{"unix:///run/duet.sock"}, unixAt("/run/duet.sock")},
		{[]string{"unix://relative"}, unixAt("relative")},
		{[]string{"UNIX:/A"}, unixAt("/A")},
		{[]string{"unix:////double"}, unixAt("//double")},
	} {
		got, err := transport.ParseAddress(tcp("def", "7"), tt.words...)
		if err != nil || got != tt.want {
			t.Errorf("%q: got %#v, %v; want %#v", tt.words, got, err, tt.want)
			continue
		}
		again, err := transport.ParseAddress(transport.Address{}, got.String())
		if err != nil || again != got {
			t.Errorf("%q: its text %q gives %#v, %v", tt.words, got, again, err)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for _, tt := range []struct {
		words  []string
		reason string
	}{
		{[]string{"a", "1", "2"}, "too many words"},
		{[]string{"host:65536"}, "65535"},
		{[]string{"host:99999999999999999999"}, "65535"},
		{[]string{"99999"}, "65535"},
		{[]string{"host:-1"}, "neither a number nor the name"},
		{[]string{"host:+1"}, "neither a number nor the name"},
		{[]string{"host: 1"}, "neither a number nor the name"},
		{[]string{"::1"}, "in brackets: [::1]"},
		{[]string{"::1:8080"}, "in brackets"},
		{[]string{"a:b:c"}, "too many colons"},
		{[]string{"[::1"}, "not closed"},
		{[]string{"[::1]8080"}, "only :port"},
		{[]string{"[127.0.0.1]:80"}, "only an IPv6"},
		{[]string{"[host]:80"}, "only an IPv6"},
		{[]string{"[]:80"}, "only an IPv6"},
		{[]string{"a b:80"}, "holds ' '"},
		{[]string{"a\x1b[0m:80"}, `holds '\x1b'`},
		{[]string{"a\x1b:80"}, `holds '\x1b'`},
		{[]string{"a\u202e:80"}, "holds"},
		{[]string{"a\xff:80"}, "not UTF-8"},
		{[]string{"a%b:80"}, "holds '%'"},
		{[]string{strings.Repeat("a", 254) + ":80"}, "longer"},
		{[]string{"tcp://me:secret@host:80"}, "too many colons"},
		{[]string{"tcp://me@host:80"}, "no user"},
		{[]string{"tcp://host:80/path"}, "neither a number nor"},
		{[]string{"host", "1 2"}, "neither a number nor"},
		{[]string{"host:1", "2"}, "no IPv6"},
		{[]string{"unix:"}, "no path"},
		{[]string{"unix://"}, "no path"},
		{[]string{"unix:@"}, "no path"},
		{[]string{"unix:a\x00b"}, "zero byte"},
		{[]string{"unix:" + strings.Repeat("a", 200)}, "at most"},
		{[]string{"://host"}, "no scheme"},
		{[]string{"1a://host"}, "no scheme"},
	} {
		var ae *transport.AddressError
		got, err := transport.ParseAddress(tcp("def", "7"), tt.words...)
		switch {
		case !errors.As(err, &ae):
			t.Errorf("%q: got %#v, %v", tt.words, got, err)
		case !strings.Contains(ae.Reason, tt.reason):
			t.Errorf("%q: the reason is %q, want %q", tt.words, ae.Reason, tt.reason)
		case !strings.Contains(err.Error(), "address "):
			t.Errorf("%q: text %q", tt.words, err)
		}
	}
	if _, err := transport.ParseAddress(transport.Address{}, "host"); err == nil {
		t.Error("an address without a port passed")
	}
	if _, err := transport.ParseAddress(transport.Address{}); err == nil {
		t.Error("no address at all passed")
	}
}

func TestPlannedSchemes(t *testing.T) {
	for _, tt := range []struct {
		text, scheme string
		planned      bool
	}{
		{"udp://host:1", "udp", true},
		{"udp:host:1", "udp", true},
		{"udp:1", "udp", true},
		{"UDP:1", "udp", true},
		{"tls://host:1", "tls", true},
		{"tls:host:1", "tls", true},
		{"ws://host:1/path", "ws", true},
		{"wss://host:1", "wss", true},
		{"http://host:1", "http", false},
		{"gopher://host", "gopher", false},
	} {
		var se *transport.SchemeError
		got, err := transport.ParseAddress(transport.Address{}, tt.text)
		if !errors.As(err, &se) || se.Scheme != tt.scheme || se.Planned() != tt.planned {
			t.Errorf("%q: got %#v, %v", tt.text, got, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	if s := transport.DefaultListen.String(); s != ":8080" {
		t.Error(s)
	}
	if s := transport.DefaultConnect.String(); s != "localhost:8080" {
		t.Error(s)
	}
	if s := tcp("udp", "80").String(); s != "tcp://udp:80" {
		t.Error(s)
	}
}

func TestAbstractNames(t *testing.T) {
	a, err := transport.ParseAddress(transport.Address{}, "unix:@duet")
	if runtime.GOOS == "linux" {
		if err != nil || a != unixAt("@duet") {
			t.Errorf("got %#v, %v", a, err)
		}
	} else if err == nil {
		t.Errorf("got %#v", a)
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"localhost:8080", "[fe80::1%a]:80", "unix:////x", "tcp://tcp:80", "udp:1", ":", "1"} {
		f.Add(s, "")
	}
	f.Add("::1", "8080")
	f.Add("tcp", "80")
	f.Fuzz(func(t *testing.T, one, two string) {
		words := []string{one}
		if two != "" {
			words = append(words, two)
		}
		a, err := transport.ParseAddress(tcp("def", "7"), words...)
		if err != nil {
			var ae *transport.AddressError
			var se *transport.SchemeError
			if !errors.As(err, &ae) && !errors.As(err, &se) {
				t.Fatalf("%q: %T %v", words, err, err)
			}
			return
		}
		if a.Host == "" && a.Scheme == "tcp" || a.Port == "" && a.Scheme == "tcp" || a.Network() != a.Scheme {
			t.Fatalf("%q: %#v", words, a)
		}
		again, err := transport.ParseAddress(transport.Address{}, a.String())
		if err != nil || again != a {
			t.Fatalf("%q: %#v has the text %q, which gives %#v, %v", words, a, a, again, err)
		}
	})
}

func TestCorpus(t *testing.T) {
	list, err := os.ReadDir("testdata/fuzz/FuzzParseAddress")
	if err != nil || len(list) == 0 {
		t.Fatalf("the corpus of FuzzParseAddress is gone: %d files, %v", len(list), err)
	}
}
