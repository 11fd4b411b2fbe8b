package handler

import (
	"bytes"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// awaitExit waits for the end of a child and does not reap it, so that its number is not used again.
func awaitExit(pid int) bool {
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			return err == nil
		}
	}
}

// closedFiles is for the ExtraFiles of a program, which is to get no descriptor of this process but 0, 1 and 2. It has a nil for each
// number up to the highest descriptor that is not close-on-exec. Package os closes these in the new process only, so that
// this process can pass its descriptors to other children.
func closedFiles() []*os.File {
	// Under this lock no other goroutine has a descriptor that it makes close-on-exec only later.
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	highest := 2
	for fd, end := 3, descriptorSlots(); fd < end; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			highest = fd
		}
	}
	return make([]*os.File, highest-2)
}

// descriptorSlots is above the number of every open descriptor (FDSize in proc_pid_status(5)). Without /proc it is 1024, because
// inherited descriptors have low numbers.
func descriptorSlots() int {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range bytes.Lines(status) {
		if size, ok := bytes.CutPrefix(line, []byte("FDSize:")); ok {
			if n, err := strconv.Atoi(string(bytes.TrimSpace(size))); err == nil {
				return n
			}
		}
	}
	return 1024
}

// onlyZombies reports whether all processes that are left in a group have ended. The system's first process reaps an orphan; in a container it
// may be slow, or never do so.
func onlyZombies(group int) bool {
	proc, err := os.Open("/proc")
	if err != nil {
		return false
	}
	defer func() { _ = proc.Close() }()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return false
	}
	seen := false
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // the process has gone meanwhile
		}
		// Number, (name), state, parent, group, … (proc_pid_stat(5)); the name may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 3 || string(fields[2]) != strconv.Itoa(group) {
			continue
		}
		if state := fields[0][0]; state != 'Z' && state != 'X' {
			return false
		}
		seen = true
	}
	return seen
}
