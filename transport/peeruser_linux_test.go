package transport_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"duet.example/duet/transport"
)

// abstract returns an abstract name that no other process has.
func abstract(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("unix:@duet-%d-%s-%d", os.Getpid(), t.Name(), time.Now().UnixNano())
}

// A connection of another user to an abstract name, which has no mode, is closed.
func TestOwnerOnlyAbstract(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	lc := transport.ListenConfig{OwnerOnly: true}
	name := abstract(t)
	l, err := lc.Listen(t.Context(), parse(t, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()

	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = helperEnviron("enter", name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "closed\n") {
		t.Errorf("another user: %v\n%s", err, out)
	}

	c := dial(t, l)
	if uid, err := transport.PeerUser(c); uid != 0 || err != nil {
		t.Errorf("the server is user %d, %v", uid, err)
	}
	in := <-accepted
	defer in.Close()
	if _, err := io.WriteString(in, "x"); err != nil {
		t.Error(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 1 {
		t.Errorf("the owner is not accepted: %v", err)
	}
}

// With OwnerOnly, an abstract name is refused if the system does not tell which user connects.
func TestOwnerOnlyRefusesAbstract(t *testing.T) {
	lc := transport.ListenConfig{OwnerOnly: true}
	lc.SetPeerUser(func(net.Conn) (int, error) { return -1, errors.ErrUnsupported })
	if l, err := lc.Listen(t.Context(), parse(t, abstract(t))); !errors.Is(err, transport.ErrPeerUser) {
		t.Errorf("%v, %v", l, err)
	}
	lc.OwnerOnly = false
	l, err := lc.Listen(t.Context(), parse(t, abstract(t)))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
