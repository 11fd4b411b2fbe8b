package console

import (
	"context"
	"fmt"
	"sync"
	"time"

	"duet.example/duet"
	"duet.example/duet/desk"
	"duet.example/duet/internal/screen"
)

// Options of a [Session]. Desk and Face must be given; the zero value of all else will do.
type Options struct {
	Desk *desk.Desk
	Face Face
	// Server: the peers are clients, shown as 【Client】; otherwise the peer is a server, 【Server】.
	Server bool
	// Farewell is the word that ends a conversation when it is typed; empty: none does.
	Farewell string
	// Turns opens the prompt only after the peer has spoken.
	Turns bool
	// HoldInput makes typed lines wait until there is a conversation to say them
	// in, for scripts; a person is told instead.
	HoldInput bool
	// Once ends the session after so many messages from peers; zero: never.
	Once int
	// Terminal: the face is a terminal; what of a peer's words had to be made visible is set apart there.
	Terminal bool
	// Color allows colours.
	Color bool
	// Stamps puts times before the lines.
	Stamps Stamps
	// Hex shows messages as a hex dump.
	Hex bool
	// Bell rings when a message arrives; Title tells it in the window's title.
	Bell, Title bool
	// Quiet leaves out what duet itself has to say but for arrivals and endings.
	Quiet bool
	// Explainer narrates; /explain turns it on and off. nil: there is none.
	Explainer *Explainer
}

// An Outcome says why Run has returned.
type Outcome uint8

// The ways in which a session ends.
const (
	// Stopped: the context ended.
	Stopped Outcome = iota
	// Quit: the operator asked for it.
	Quit
	// Interrupted: Ctrl-C.
	Interrupted
	// Enough: as many messages as Once asked for have come.
	Enough
	// FaceLost: the terminal has gone.
	FaceLost
)

// A Session is an operator at a desk, at a face. Two goroutines make it: one prints
// what happens, one does what the operator asks.
type Session struct {
	o     Options
	desk  *desk.Desk
	face  Face
	watch *desk.Watch
	style style

	printed chan struct{} // closed when the printer has ended
	finish  chan struct{} // closed by Close: print what is there and end
	once    sync.Once
	enough  chan struct{} // closed when Once messages have come
	ctx     context.Context
	cancel  context.CancelFunc
	sending sync.WaitGroup // files on their way; they end with ctx

	mu      sync.Mutex
	live    map[uint64]string // number → peer
	target  uint64            // who is answered; 0: nobody
	myTurn  map[uint64]bool
	hex     bool
	heard   int
	asked   bool          // Ctrl-D asked whether to quit
	changed chan struct{} // replaced, and the old one closed, when live, target or myTurn change
	save    *saver
	stamper stamper
	partial uint64 // whose unfinished line is shown
}

// NewSession begins to watch and print; Close ends that.
func NewSession(o Options) *Session {
	s := &Session{
		o: o, desk: o.Desk, face: o.Face, style: newStyle(o.Terminal, o.Color),
		watch:   o.Desk.Watch(),
		printed: make(chan struct{}), finish: make(chan struct{}), enough: make(chan struct{}),
		live: make(map[uint64]string), myTurn: make(map[uint64]bool),
		hex: o.Hex, changed: make(chan struct{}),
		stamper: stamper{kind: o.Stamps, start: time.Now()},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if o.Explainer != nil {
		o.Explainer.SetOut(func(line string) { s.Notice(line) })
	}
	s.refreshPrompt()
	go s.print()
	return s
}

// Close prints what has happened so far and ends the session. The desk's conversations and the face stay as they are.
func (s *Session) Close() {
	s.cancel()
	s.sending.Wait()
	s.once.Do(func() { close(s.finish) })
	<-s.printed
}

// Notice prints a line of duet itself. text must be safe: peers' words go through internal/screen first.
func (s *Session) Notice(text string) {
	s.printLines(s.style.notice(text))
}

func (s *Session) printLines(lines ...string) {
	_ = s.face.Print(context.Background(), lines...)
}

// print is the printer.
func (s *Session) print() {
	defer close(s.printed)
	defer s.closeSave()
	defer s.watch.Stop()
	for {
		select {
		case e := <-s.watch.C:
			s.show(e)
			continue
		default:
		}
		select {
		case e := <-s.watch.C:
			s.show(e)
		case <-s.finish:
			if len(s.watch.C) == 0 {
				return
			}
		}
	}
}

// show prints one event.
func (s *Session) show(e desk.Event) {
	s.saveEvent(e)
	switch e.Kind {
	case desk.Arrived:
		s.arrived(e)
	case desk.Saying:
		s.mu.Lock()
		s.partial = e.Number
		s.mu.Unlock()
		s.face.SetPartial(s.partialLine(e))
	case desk.Said:
		s.said(e)
	case desk.Left:
		s.left(e)
	}
}

func (s *Session) arrived(e desk.Event) {
	s.mu.Lock()
	s.live[e.Number] = e.Peer
	chosen := s.target == 0 && len(s.live) == 1
	if chosen {
		s.target = e.Number
	}
	several := len(s.live) > 1
	s.note()
	s.mu.Unlock()
	if s.o.Server {
		line := "The Server has received a connection from " + AddressWords(e.Peer)
		if several {
			line += fmt.Sprintf(" (client %d)", e.Number)
		}
		s.Notice(line)
		if several {
			s.tellf("/use %d to answer it, /who to see all", e.Number)
		}
	}
	s.refreshPrompt()
}

func (s *Session) said(e desk.Event) {
	s.dropPartial(e.Number)
	s.printLines(s.messageLines(e)...)
	s.mu.Lock()
	s.myTurn[e.Number] = true
	s.heard++
	if s.heard == s.o.Once {
		close(s.enough)
	}
	s.note()
	s.mu.Unlock()
	if s.o.Bell {
		s.face.Bell()
	}
	if s.o.Title {
		s.face.Title("duet: " + screen.Cut(screen.Line(screen.Untrusted(e.Text), screen.Style{}), 40))
	}
	s.refreshPrompt()
}

func (s *Session) left(e desk.Event) {
	s.dropPartial(e.Number)
	s.mu.Lock()
	delete(s.live, e.Number)
	delete(s.myTurn, e.Number)
	was := s.target == e.Number
	if was {
		s.target = 0
	}
	remain := len(s.live)
	s.asked = false
	s.note()
	s.mu.Unlock()
	who := "The conversation with " + AddressWords(e.Peer)
	if s.o.Server && (remain > 0 || !was) {
		who = fmt.Sprintf("The conversation with client %d (%s)", e.Number, AddressWords(e.Peer))
	}
	s.Notice(who + " has ended: " + EndWords(e.Reason, e.Err))
	if was && remain > 0 {
		s.tellf("nobody is being answered: /use N chooses (%s)", s.numbers())
	}
	s.refreshPrompt()
}

// dropPartial takes away the unfinished line of conversation n: what it said follows in full.
func (s *Session) dropPartial(n uint64) {
	s.mu.Lock()
	mine := s.partial == n
	if mine {
		s.partial = 0
	}
	s.mu.Unlock()
	if mine {
		s.face.SetPartial("")
	}
}

// tellf prints a word of advice, unless the operator wants to hear less.
func (s *Session) tellf(format string, args ...any) {
	if !s.o.Quiet {
		s.Notice(fmt.Sprintf(format, args...))
	}
}

// note tells those who wait that something changed. s.mu is held.
func (s *Session) note() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// alone reports whether n is the only live conversation and the one that is answered: then it needs no number. s.mu is held.
func (s *Session) alone(n uint64) bool {
	return !s.o.Server || len(s.live) <= 1 && s.target == n
}

// refreshPrompt shows who is being answered, and whether it is the operator's turn.
func (s *Session) refreshPrompt() {
	s.mu.Lock()
	prompt := ">>> "
	switch {
	case s.target != 0 && !s.alone(s.target):
		prompt = fmt.Sprintf("%d >>> ", s.target)
	case s.target == 0 && len(s.live) > 0:
		prompt = "? >>> "
	}
	open, why := true, ""
	if s.o.Turns && s.target != 0 && !s.myTurn[s.target] {
		open, why = false, "it is the peer's turn"
	}
	s.mu.Unlock()
	s.face.SetPrompt(prompt)
	s.face.SetOpen(open, why)
}

// EndWords names an ending for people.
func EndWords(r duet.EndReason, err error) string {
	if err == nil || r == duet.EndPeerClosed || r == duet.EndFarewell {
		return r.String()
	}
	return r.String() + " (" + screen.Line(screen.Untrusted(rootCause(err)), screen.Style{}) + ")"
}
