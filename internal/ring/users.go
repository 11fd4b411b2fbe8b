package ring

import "slices"

// row returns the row of an encoding and counts one more user of it. It makes
// the row for the first. mu is held.
func (r *Ring) row(e Encoding) *row {
	i := slices.IndexFunc(r.rows, func(x *row) bool { return x.enc.Key == e.Key })
	if i < 0 {
		i = len(r.rows)
		x := newRow(e, r.head.Load())
		r.rows = append(r.rows, x)
		r.held = append(r.held, x)
	}
	r.rows[i].users++
	return r.rows[i]
}

// release has one user fewer. mu is held.
func (r *Ring) release(x *row) {
	x.users--
	r.keep(x)
}

// retire turns a user into one that has left. mu is held.
func (r *Ring) retire(x *row) {
	x.leavers++
	r.release(x)
}

// letGo has one fewer of those that have left. mu is held.
func (r *Ring) letGo(x *row) {
	x.leavers--
	r.keep(x)
}

// keep appends no more to a row without users, and drops one in which nobody is. mu is held.
func (r *Ring) keep(x *row) {
	if x.users > 0 {
		return
	}
	if i := slices.Index(r.rows, x); i >= 0 {
		r.rows = slices.Delete(r.rows, i, i+1)
	}
	if x.leavers > 0 {
		return
	}
	if i := slices.Index(r.held, x); i >= 0 {
		r.held = slices.Delete(r.held, i, i+1)
		r.quota.held(r, -x.bytes())
	}
}
