package handler

// A Custody ends processes that programs leave behind, also those that the program's own group does not hold. It changes the
// whole process, so it is for a main program that starts no other children than those of [Exec] and [Shared]: it
// reaps all others, and kills them.
//
// On Linux the process becomes a subreaper (PR_SET_CHILD_SUBREAPER): a process whose parent has ended is then a
// child of this one. If it has left its program's group, it is killed when that program has ended. It is
// recognised by DUET_ID in its environment; without that it is killed when no program runs.
//
// On Unix a small guard, /bin/sh, waits for the end of this process, however it comes, and then kills the groups
// of the programs that are left. It costs one process. A process that has left its group outlives a SIGKILL.
// Elsewhere a Custody does nothing.
type Custody struct {
	guard  *guard
	strays *strays
}

// TakeCustody makes a Custody. There is one at a time. The caller calls Close when all conversations have ended.
// Without a guard or a subreaper, err says why; what works is used.
func TakeCustody() (c *Custody, err error) {
	c = &Custody{}
	c.guard, err = startGuard()
	var failed error
	if c.strays, failed = watchStrays(c.guard); err == nil {
		err = failed
	}
	running.take(c)
	return c, err
}

// KillAll kills everything that programs have started, and waits for at most 1.5 s. It is for a process that is
// about to die. Any goroutine may call it.
func (c *Custody) KillAll() {
	running.kill()
	c.strays.end()
}

// Close ends what programs have left behind, and the Custody.
func (c *Custody) Close() {
	running.take(nil)
	c.strays.end()
	c.strays.close()
	c.guard.close()
}

// look looks for strays, soon.
func (c *Custody) look() { c.strays.look() }
