//go:build unix

package transport_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"duet.example/duet/transport"
)

func TestUnixMode(t *testing.T) {
	// Without a mask, only the package decides the mode.
	path := filepath.Join(t.TempDir(), "s")
	var calls []string
	lc := transport.ListenConfig{Step: func(s transport.Step) { calls = append(calls, s.Call) }}
	old := syscall.Umask(0)
	l, err := lc.Listen(t.Context(), parse(t, "unix:"+path))
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Lstat(path)
	if err != nil || in.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", in.Mode(), err)
	}
	if runtime.GOOS == "linux" {
		if m, b := slices.Index(calls, "fchmod"), slices.Index(calls, "bind"); m < 0 || b < m {
			t.Errorf("the mode was not set before bind: %q", calls)
		}
	}
	dial(t, l)
	accept(t, l)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close the file is there: %v", err)
	}
}

func stale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestUnixStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stale(t, path)
	l := listen(t, "unix:"+path)
	dial(t, l)
	accept(t, l)
}

func TestUnixLive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, "unix:"+path)
	var lc transport.ListenConfig
	if _, err := lc.Listen(t.Context(), parse(t, "unix:"+path)); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second listener: %v", err)
	}
	// The first connection is the probe of the second listener.
	if _, err := accept(t, l).Read(make([]byte, 1)); err == nil {
		t.Error("the probe sent a byte")
	}
	dial(t, l)
	accept(t, l)
}

// Only a refused connect proves that no program listens on the file.
func TestUnixKeepsUnrefusedFile(t *testing.T) {
	datagram := filepath.Join(t.TempDir(), "d")
	pc, err := net.ListenPacket("unixgram", datagram)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	paths := []string{datagram}
	if runtime.GOOS == "linux" {
		// The queue of this server is full. Other systems refuse such a connect.
		busy := filepath.Join(t.TempDir(), "b")
		full := transport.ListenConfig{Backlog: -1}
		l, err := full.Listen(t.Context(), parse(t, "unix:"+busy))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		dial(t, l)
		paths = append(paths, busy)
	}
	for _, p := range paths {
		var lc transport.ListenConfig
		if _, err := lc.Listen(t.Context(), parse(t, "unix:"+p)); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s: %v", p, err)
		}
		if _, err := os.Lstat(p); err != nil {
			t.Error(err)
		}
	}
}

func TestUnixKeepsOtherFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := path + "-link"
	stale(t, path+"-target")
	if err := os.Symlink(path+"-target", link); err != nil {
		t.Fatal(err)
	}
	var lc transport.ListenConfig
	for _, p := range []string{path, link, filepath.Dir(path)} {
		if _, err := lc.Listen(t.Context(), parse(t, "unix:"+p)); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s: %v", p, err)
		}
		if _, err := os.Lstat(p); err != nil {
			t.Error(err)
		}
	}
}

// Close leaves a file that another listener has made at its path.
func TestUnixCloseKeepsOtherFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first := listen(t, "unix:"+path)
	if err := os.Rename(path, path+"-moved"); err != nil {
		t.Fatal(err)
	}
	second := listen(t, "unix:"+path)
	first.Close()
	dial(t, second)
	accept(t, second)
}

func TestUnixErrors(t *testing.T) {
	var lc transport.ListenConfig
	var d transport.Dialer
	nowhere := parse(t, "unix:"+t.TempDir()+"/no/s")
	if _, err := lc.Listen(t.Context(), nowhere); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := d.Dial(t.Context(), nowhere); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	path := t.TempDir() + "/s"
	stale(t, path)
	if _, err := d.Dial(t.Context(), parse(t, "unix:"+path)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
}
