package portowner

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
)

func TestListenersOfTable(t *testing.T) {
	if !littleEndian {
		t.Log("the table below is that of a little-endian machine")
		return
	}
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:9B80 01 00000000:00000000 03:00001422 00000000     0        0 12 3 0
   2: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100 0 0 10 0
   3: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14 1 0
   4: broken:1F90 x 0A
   5: zz00007F:1F90 00000000:0000 0A 0:0 00:0 0 0 0 15 1
   6: 00007F:1F90 00000000:0000 0A 0:0 00:0 0 0 0 16 1
`
	for _, tt := range []struct {
		ip   string
		port uint16
		want string
	}{
		{"127.0.0.1", 8080, "11"},
		{"::1", 8080, "14"},
		{"127.0.0.2", 8080, ""},
		{"127.0.0.2", 8081, "13"},
		{"127.0.0.1", 8082, ""},
	} {
		found := make(map[string]bool)
		listeners(t.Context(), found, strings.NewReader(table), netip.MustParseAddr(tt.ip), tt.port)
		if tt.want == "" && len(found) == 0 {
			continue
		}
		if len(found) != 1 || !found["socket:["+tt.want+"]"] {
			t.Errorf("%s port %d: got %v, want %s", tt.ip, tt.port, found, tt.want)
		}
	}
}

// Find gives up when its context has ended, in the tables and among the processes.
func TestGivesUp(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), ended} {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at := netip.MustParseAddrPort(l.Addr().String())
		table, err := os.Open("/proc/net/tcp")
		if err != nil {
			t.Fatal(err)
		}
		want := ctx.Err() == nil
		found := map[string]bool{}
		listeners(ctx, found, table, at.Addr(), at.Port())
		if got := len(found) == 1; got != want {
			t.Errorf("%v: the table has %v", ctx, found)
		}
		table.Seek(0, io.SeekStart)
		listeners(t.Context(), found, table, at.Addr(), at.Port())
		if pid, _, ok := owner(ctx, found); ok != want || ok && pid != os.Getpid() {
			t.Errorf("%v: the owner is %d, %v", ctx, pid, ok)
		}
		table.Close()
		l.Close()
	}
}
