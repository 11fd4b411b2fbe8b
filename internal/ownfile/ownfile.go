// Package ownfile keeps files that hold what peers have said from other users of the machine.
package ownfile

import (
	"os"
	"runtime"
)

// Take makes an open file its owner's alone (mode 0600), if others have any access to it. was is the mode that it
// had then; 0 if nothing was changed, as with a pipe or a device, and on a system without such modes. The error is that of looking at the
// mode (was is 0) or of changing it.
func Take(f *os.File) (was os.FileMode, err error) {
	st, err := f.Stat()
	if err != nil || runtime.GOOS == "windows" || !st.Mode().IsRegular() || st.Mode().Perm()&0o077 == 0 {
		return 0, err
	}
	return st.Mode().Perm(), f.Chmod(0o600)
}
