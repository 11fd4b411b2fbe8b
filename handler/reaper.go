package handler

// A Reaper ends processes that the programs of [Exec] and [Shared] leave behind, also outside of the groups of the programs. It changes the
// whole process: it reaps and kills all other children. So it is for a main program that starts no children except through Exec and Shared.
//
// On Linux the process becomes a subreaper (PR_SET_CHILD_SUBREAPER): a process whose parent has ended becomes a child of this one. If that
// process has left the group of its program, it is killed when the program has ended. It is recognised by DUET_ID in its environment. Without
// that, it is killed when no program runs.
//
// On Unix a small guard, /bin/sh, waits for the end of this process, however it comes. Then it kills the groups of the programs that are left.
// It costs one process. A process that has left its group outlives a SIGKILL of this one.
//
// Elsewhere a Reaper does nothing.
type Reaper struct {
	guard   *guard
	orphans *orphans
}

// StartReaper starts a Reaper. There is one at a time. The caller calls Close when all conversations have ended. If the guard or the
// subreaper cannot be started, err says why, and the Reaper works with the other.
func StartReaper() (r *Reaper, err error) {
	r = &Reaper{}
	r.guard, err = startGuard()
	var failed error
	if r.orphans, failed = watchOrphans(r.guard); err == nil {
		err = failed
	}
	running.setReaper(r)
	return r, err
}

// KillAll kills everything that programs have started, and waits for at most 1.5 s. It is for a process that is about to end. Any goroutine
// may call it.
func (r *Reaper) KillAll() {
	running.kill()
	r.orphans.end()
}

// Close ends the processes that programs have left behind, and the Reaper.
func (r *Reaper) Close() {
	running.setReaper(nil)
	r.orphans.end()
	r.orphans.close()
	r.guard.close()
}

// look has the orphans looked for soon.
func (r *Reaper) look() { r.orphans.look() }
