package ring

import "time"

// coarse is a time since the ring was made, in milliseconds; differences hold
// for 49 days.
type coarse uint32

func (r *Ring) coarse() coarse { return coarse(time.Since(r.start).Milliseconds()) }
