package room

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"duet.example/duet/internal/nickname"
	"duet.example/duet/internal/ring"
)

// A room is where members hear each other.
type room struct {
	name string
	key  string // the name's skeleton
	ring *ring.Ring
	past *history // nil: none

	// Under Hall.mu:
	members   []*member // each knows its place
	operators map[*operator]struct{}
	topic     string
}

// newRoom makes a room. h.mu is held.
func (h *Hall) newRoom(name string) *room {
	r := &room{name: name, key: nickname.Skeleton(name)}
	o := ring.Options{Limit: h.Limit, Quota: h.quota}
	if h.Slow == Skip && !h.Relay {
		o.Gap = h.gap
	}
	if h.Relay {
		o.Patience = relayPatience
	}
	r.ring = ring.New(o)
	if h.History > 0 && !h.Relay {
		r.past = &history{limit: min(h.History, historyLines)}
		r.past.listen(r.ring)
	}
	h.rooms[r.key] = r
	return r
}

// gap is what one gets in the place of what it has missed.
func (h *Hall) gap(missed uint64) []byte {
	things := " messages missed"
	if missed == 1 {
		things = " message missed"
	}
	return appendText(nil, h.Encoding, "… "+strconv.FormatUint(missed, 10)+things)
}

// roomCalled finds or makes the room of that name. h.mu is held.
func (h *Hall) roomCalled(name string) (*room, error) {
	if r := h.rooms[nickname.Skeleton(name)]; r != nil {
		return r, nil
	}
	if err := nickname.Check(name); err != nil {
		return nil, err
	}
	limit := h.MaxRooms
	if limit <= 0 {
		limit = DefaultMaxRooms
	}
	if len(h.rooms) >= limit {
		return nil, fmt.Errorf("%w: there are %d", ErrTooMany, len(h.rooms))
	}
	return h.newRoom(name), nil
}

// enter makes m one of r's. h.mu is held.
func (r *room) enter(m *member) {
	m.room, m.place = r, len(r.members)
	r.members = append(r.members, m)
}

// leave undoes enter. A room that nobody is in goes. h.mu is held.
func (r *room) leave(h *Hall, m *member) {
	last := len(r.members) - 1
	r.members[m.place] = r.members[last]
	r.members[m.place].place = m.place
	r.members[last] = nil
	r.members = r.members[:last]
	h.tidy(r)
}

// tidy takes r away, if nobody is there any more. h.mu is held.
func (h *Hall) tidy(r *room) {
	if r != h.first && len(r.members) == 0 && len(r.operators) == 0 {
		delete(h.rooms, r.key)
		if r.past != nil {
			r.past.end() // members that have not read to the end keep the ring
		}
	}
}

// announced is what the hall's own lines begin with, and no others.
const announced = "-- "

// announce has all members but author hear what the hall says.
func (h *Hall) announce(ctx context.Context, r *room, author uint64, text string) {
	if h.Relay {
		return
	}
	_ = r.ring.Append(ctx, author, h.announcement(text))
}

// lateWait is how long the others may keep the last words of a member, whose conversation is to end, from being told to them.
const lateWait = 5 * time.Second

// said tells the others what a member says. Words that came before the end of its conversation are told after that, too; then ctx has ended.
func (r *room) said(ctx context.Context, author uint64, bodies ...[]byte) error {
	err := r.ring.Append(ctx, author, bodies...)
	if err == nil || ctx.Err() == nil {
		return err
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateWait)
	defer cancel()
	return r.ring.Append(late, author, bodies...)
}

func (h *Hall) announcement(text string) []byte {
	return appendText([]byte(announced), h.Encoding, text)
}

// shownNames is how many names are listed: nobody reads more, and who asks must not make work for all.
const shownNames = 50

// who appends those in r to names, which are none yet, but for one who asks. h.mu is held.
func (r *room) who(names []string, but *member) (all []string, others int) {
	others = len(r.members) + len(r.operators)
	if but != nil && but.room == r {
		others--
	}
	for o := range r.operators {
		if len(names) == shownNames {
			break
		}
		names = append(names, o.label())
	}
	slices.Sort(names)
	at := len(names)
	for _, m := range r.members {
		if len(names) == shownNames {
			break
		}
		if m != but {
			names = append(names, m.name)
		}
	}
	slices.Sort(names[at:])
	return names, others
}

// listed is names, and how many more there are.
func listed(names []string, of int) string {
	return strings.Join(appendListed(nil, names, of), "")
}

func appendListed(parts, names []string, of int) []string {
	for i, name := range names {
		if i > 0 {
			parts = append(parts, ", ")
		}
		parts = append(parts, name)
	}
	if more := of - len(names); more > 0 {
		parts = append(parts, " and ", strconv.Itoa(more), " more")
	}
	return parts
}

// welcomeParts is more than welcome appends.
const welcomeParts = 2*shownNames + 12

// welcome appends what m is told who enters r: `you are 王芳 in lobby; 2 others are here: anna, ben`. It is in parts, as those who come at the
// same time would each need the room for several copies. h.mu is held.
func (r *room) welcome(parts []string, m *member) []string {
	var some [shownNames]string
	names, others := r.who(some[:0], m)
	parts = append(parts, announced, "you are ", m.name, " in ", r.name, "; ")
	switch others {
	case 0:
		return append(parts, "nobody else is here")
	case 1:
		parts = append(parts, "1 other is here: ")
	default:
		parts = append(parts, strconv.Itoa(others), " others are here: ")
	}
	return appendListed(parts, names, others)
}

// roomList says which rooms there are, and how many are in each.
func (h *Hall) roomList() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := make([]string, 0, len(h.rooms))
	for _, r := range h.rooms {
		if r != h.first {
			names = append(names, r.name+" "+strconv.Itoa(len(r.members)+len(r.operators)))
		}
	}
	slices.Sort(names)
	names = slices.Insert(names, 0, h.first.name+" "+strconv.Itoa(len(h.first.members)+len(h.first.operators)))
	return listed(names[:min(len(names), shownNames)], len(names))
}
