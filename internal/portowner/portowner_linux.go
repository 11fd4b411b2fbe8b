package portowner

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// littleEndian: this machine keeps the low byte first.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

const (
	maxTable    = 32 << 20 // bytes read of each of the kernel's tables
	maxEntries  = 1 << 16  // processes looked at, and descriptors of each
	stateListen = "0A"     // TCP_LISTEN, include/net/tcp_states.h
)

func find(ctx context.Context, ip netip.Addr, port uint16) (int, string, bool) {
	inodes := make(map[string]bool)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		listeners(ctx, inodes, io.LimitReader(f, maxTable), ip, port)
		f.Close()
	}
	if len(inodes) == 0 {
		return 0, "", false
	}
	return owner(ctx, inodes)
}

// owner looks for a process that holds one of the sockets.
func owner(ctx context.Context, inodes map[string]bool) (int, string, bool) {
	for _, pid := range names("/proc") {
		n, err := strconv.Atoi(pid)
		if err != nil {
			continue
		}
		dir := "/proc/" + pid
		for _, fd := range names(dir + "/fd") {
			if ctx.Err() != nil {
				return 0, "", false
			}
			link, err := os.Readlink(dir + "/fd/" + fd)
			if err != nil || !inodes[link] {
				continue
			}
			name, err := os.ReadFile(dir + "/comm")
			if err != nil {
				continue
			}
			return n, strings.TrimSuffix(string(name), "\n"), true
		}
	}
	return 0, "", false
}

func names(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	list, err := f.Readdirnames(maxEntries)
	if err != nil {
		return nil
	}
	return list
}

// listeners adds the sockets of a table (proc_pid_net(5)) that listen on port, at ip or where they would be in
// its way, in the form in which /proc/PID/fd names them.
func listeners(ctx context.Context, found map[string]bool, table io.Reader, ip netip.Addr, port uint16) {
	sc := bufio.NewScanner(table)
	for sc.Scan() && ctx.Err() == nil {
		f := strings.Fields(sc.Text())
		if len(f) < 10 || f[3] != stateListen {
			continue
		}
		at, ok := parseAddrPort(f[1])
		if !ok || at.Port() != port {
			continue
		}
		if !ip.IsValid() || ip.IsUnspecified() || at.Addr().IsUnspecified() || at.Addr() == ip {
			found["socket:["+f[9]+"]"] = true
		}
	}
}

// parseAddrPort reads an address of the table: words of four bytes as the machine keeps them, in hex.
func parseAddrPort(s string) (netip.AddrPort, bool) {
	host, portText, ok := strings.Cut(s, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	port, err := strconv.ParseUint(portText, 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	b, err := hex.DecodeString(host)
	if err != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	if littleEndian {
		for i := 0; i < len(b); i += 4 {
			slices.Reverse(b[i : i+4])
		}
	}
	ip, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)), ok
}
