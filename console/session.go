package console

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"duet.example/duet/desk"
)

// Options of a [Session]. Table and Face must be given; the zero value of all else will do.
type Options struct {
	Table desk.Table
	Face  Face
	// Operator is the name under which Table tells the others what is said here: so that it is not shown twice.
	Operator string
	// Server: the peers are clients, shown as 【Client】; otherwise the peer is a server, 【Server】.
	Server bool
	// Away: the desk is at the other end of a socket, and who leaves ends nothing there.
	Away bool
	// Farewell is the word that ends a conversation when it is typed; empty: none does.
	Farewell string
	// Turns opens the prompt only after the peer has spoken.
	Turns bool
	// HoldInput makes typed lines wait until there is a conversation to say them
	// in, for scripts; a person is told instead.
	HoldInput bool
	// Once ends the session after so many messages from peers, and shows no more than those; zero: never.
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
	// Quiet leaves out what duet itself has to say but for answers to commands and what was not sent; at a terminal, arrivals
	// and endings too are told.
	Quiet bool
	// Full begins with the full-screen view, where the face has one.
	Full bool
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
	// FaceLost: the terminal has gone, or the session has failed, as Err tells.
	FaceLost
	// DeskLost: the desk tells nothing any more, as Err tells: it was at the other end of a socket.
	DeskLost
	// Unsent: a script has ended of which nothing could be sent, and the messages that Once asks for may never come.
	Unsent
)

// A Session is an operator at a desk, at a face. One goroutine prints
// what happens, one does what the operator asks (Run).
//
// A face that takes nothing holds up what is printed, and so the peers that say it, for as long as the session lasts;
// once Run has returned, or Close was called, it is given up after a few seconds, so that ending is bounded.
type Session struct {
	o     Options
	desk  desk.Table
	face  Face
	watch desk.Watcher
	style style

	leaving  chan struct{} // closed when Run has returned or is to
	leave    func()
	enough   chan struct{} // closed when Once messages have come
	faceCtx  context.Context
	giveUp   context.CancelFunc // ends faceCtx: the face takes nothing any more
	prints   atomic.Int64       // calls of Face.Print that were begun
	printed  atomic.Int64       // and those that have ended
	fileCtx  context.Context
	stopFile context.CancelFunc
	sending  sync.WaitGroup // files on their way, and farewells behind them; they end with fileCtx
	finish   context.Context
	finished context.CancelFunc
	last     atomic.Uint64  // events to print once finish has ended
	over     chan struct{}  // closed when the printer has ended
	own      sync.WaitGroup // printer and watchdog
	broken   atomic.Pointer[error]
	failed   chan struct{} // closed when broken is set
	gone     atomic.Bool   // it is the desk that has failed

	failedToSend atomic.Bool // a file was not sent as a whole

	showMu   sync.Mutex // held while one event is shown, or what was not shown before
	promptMu sync.Mutex // held while what the face shows is worked out and set
	set      setting    // under promptMu

	mu        sync.Mutex
	live      map[uint64]*peer
	before    map[uint64]desk.Entry // who was there already, until their arrival is told
	target    uint64                // the conversation that is answered; 0: none, or the room
	highest   uint64                // the highest number that was told of
	former    uint64                // who was answered before and has left
	switched  time.Time             // when target last became another one without being asked
	myTurn    map[uint64]bool
	hex       bool
	heard     int
	refusals  int                      // how much was typed and not sent
	hasSaid   bool                     // something typed was sent, or may have been; its owner is Run
	asked     bool                     // Ctrl-D asked whether to quit
	changed   chan struct{}            // replaced, and the old one closed, when live, target, myTurn or events change
	events    uint64                   // that were printed
	files     map[uint64]chan struct{} // by conversation, the last file that goes to it line by line; closed when it is no more
	transfers map[uint64]*backlog      // by conversation, the files that go to it as they are
	save      *saver
	stamper   stamper
	partials  []partial
	quiet     bool     // what others than target say is only counted
	viewer    FullFace // nil: the face has no full-screen view
	full      bool     // it is open
	logs      logs
	refused   refusals
	hall      hall
}

// NewSession begins to watch and print; Close ends that.
func NewSession(o Options) *Session {
	s := &Session{
		o: o, desk: o.Table, face: o.Face, style: newStyle(o.Terminal, o.Color),
		watch:   o.Table.Watch(),
		leaving: make(chan struct{}), enough: make(chan struct{}), over: make(chan struct{}), failed: make(chan struct{}),
		live: make(map[uint64]*peer), myTurn: make(map[uint64]bool), files: make(map[uint64]chan struct{}), transfers: make(map[uint64]*backlog), logs: newLogs(),
		hex: o.Hex, changed: make(chan struct{}),
		stamper: stamper{kind: o.Stamps, start: time.Now()},
	}
	s.leave = sync.OnceFunc(func() { close(s.leaving) })
	s.faceCtx, s.giveUp = context.WithCancel(context.Background())
	s.fileCtx, s.stopFile = context.WithCancel(context.Background())
	s.finish, s.finished = context.WithCancel(context.Background())
	if o.Explainer != nil {
		o.Explainer.SetOut(s.Notice)
	}
	if s.o.Server {
		s.viewer, _ = o.Face.(FullFace)
		s.before = make(map[uint64]desk.Entry)
		for _, e := range o.Table.Roster() {
			s.before[e.Number] = e
		}
		s.enterHall()
	}
	if o.Full && s.viewer != nil {
		s.setFull(true)
	}
	s.refresh()
	s.own.Go(func() { s.guard(s.print) })
	s.own.Go(s.watchFace)
	return s
}

// Close prints what has happened so far, as far as the face takes it, and ends the session. The desk's conversations
// and the face stay as they are. It may be called more than once, but not while Run runs.
func (s *Session) Close() {
	s.leave()
	s.stopFile()
	s.sending.Wait()
	s.last.CompareAndSwap(0, s.watch.Told())
	s.finished()
	s.own.Wait()
	if s.viewer != nil {
		s.setFull(false)
	}
	s.giveUp()
}

// note tells those who wait that something changed. s.mu is held.
func (s *Session) note() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until ok, which is called with s.mu held. It returns false where ctx ends or enough was heard before.
func (s *Session) await(ctx context.Context, ok func() bool) bool {
	for {
		s.mu.Lock()
		done, changed := ok(), s.changed
		s.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-s.enough:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// catchUp waits until what has happened up to now is printed, so that what is done next comes after it.
func (s *Session) catchUp(ctx context.Context) {
	told := s.watch.Told()
	s.await(ctx, func() bool { return s.events >= told })
}
