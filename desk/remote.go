package desk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"duet.example/duet/event"
)

// ErrNotADesk means that the program at the other end of the control socket does not answer as a desk.
var ErrNotADesk = errors.New("no duet desk answers there")

// A RemoteError is the error of a request, from the desk at the other end of a control socket. errors.Is finds in it
// the errors of this package and of duet that its text names.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string { return e.Text }

// Is reports whether the text names target.
func (e *RemoteError) Is(target error) bool {
	return e.Text == target.Error() || strings.HasSuffix(e.Text, ": "+target.Error())
}

// A Remote is a [Table] at the other end of a control socket. Make it with [Attach].
type Remote struct {
	dial     func(ctx context.Context) (net.Conn, error)
	operator string
	hello    event.Hello
	room     atomic.Pointer[string] // in which this operator speaks; empty where there is no hall

	calling sync.Mutex // one request at a time
	nc      net.Conn
	in      *event.Reader
	out     *event.Writer
	last    uint64 // the last request's ID
	broken  error
}

var _ Table = (*Remote)(nil)

// Attach connects to a desk with dial: once for requests, and once more for each Watch. The other operators see the
// name of this operator. Close ends the connection for requests and nothing else.
func Attach(ctx context.Context, dial func(ctx context.Context) (net.Conn, error), operator string) (*Remote, error) {
	r := &Remote{dial: dial, operator: operator}
	var err error
	r.nc, r.in, r.out, r.hello, err = r.connect(ctx)
	r.room.Store(&r.hello.Hall)
	return r, err
}

// remoteLine is how long a line of the desk may be, in bytes. The desk's own limit of a message bounds its lines, and is not
// known here.
const remoteLine = 256 << 20

// connect connects and hears who answers.
func (r *Remote) connect(ctx context.Context) (net.Conn, *event.Reader, *event.Writer, event.Hello, error) {
	nc, err := r.dial(ctx)
	if err != nil {
		return nil, nil, nil, event.Hello{}, err
	}
	in := event.NewReader(nc, remoteLine)
	_ = nc.SetDeadline(time.Now().Add(controlWrite))
	line, err := in.Next()
	hello, ok := line.(event.Hello)
	if err != nil || !ok {
		_ = nc.Close()
		return nil, nil, nil, event.Hello{}, errors.Join(ErrNotADesk, err)
	}
	_ = nc.SetDeadline(time.Time{})
	return nc, in, event.NewWriter(nc), hello, nil
}

// Version returns the version of the program at the other end.
func (r *Remote) Version() string { return r.hello.Version }

// Close closes the connection for requests.
func (r *Remote) Close() error { return r.nc.Close() }

// call makes one request and gives its replies as one.
func (r *Remote) call(ctx context.Context, req event.Request) (event.Reply, error) {
	r.calling.Lock()
	defer r.calling.Unlock()
	if r.broken != nil {
		return event.Reply{}, r.broken
	}
	r.last++
	req.ID, req.Operator = strconv.FormatUint(r.last, 10), r.operator
	stop := context.AfterFunc(ctx, func() { _ = r.nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	all, err := r.exchange(req)
	if err != nil {
		// Half a line may have gone, or a reply may still come: nothing can be asked here any more.
		r.broken = fmt.Errorf("the desk is gone: %w", err)
		_ = r.nc.Close()
		return event.Reply{}, r.broken
	}
	r.atHall(all)
	if !all.OK {
		return all, &RemoteError{Text: all.Error}
	}
	return all, nil
}

func (r *Remote) exchange(req event.Request) (event.Reply, error) {
	if err := r.out.WriteLine(req); err != nil {
		return event.Reply{}, err
	}
	var all event.Reply
	for {
		line, err := r.in.Next()
		if err != nil {
			return event.Reply{}, err
		}
		reply, ok := line.(event.Reply)
		if !ok || reply.ID != req.ID {
			continue
		}
		roster, answer := append(all.Roster, reply.Roster...), append(all.Answer, reply.Answer...)
		all = reply
		all.Roster, all.Answer = roster, answer
		if !reply.More {
			return all, nil
		}
	}
}

func (r *Remote) do(ctx context.Context, req event.Request) error {
	if err := req.Check(); err != nil {
		return err
	}
	_, err := r.call(ctx, req)
	return err
}

// roster asks for the roster, or for one entry of it.
func (r *Remote) roster(n uint64) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(context.Background(), controlWrite)
	defer cancel()
	reply, err := r.call(ctx, event.Request{Do: event.DoList, Conn: n})
	if err != nil {
		return nil, err
	}
	all := make([]Entry, len(reply.Roster))
	for i, e := range reply.Roster {
		all[i] = entryFromWire(e)
	}
	return all, nil
}

func (r *Remote) some(live bool) []Entry {
	all, err := r.roster(0)
	if err != nil {
		return nil // the watch tells that the desk is gone
	}
	var some []Entry
	for _, e := range all {
		if e.Live() == live {
			some = append(some, e)
		}
	}
	return some
}

// Roster returns the live conversations. It returns none if the desk has gone.
func (r *Remote) Roster() []Entry { return r.some(true) }

// Left returns the conversations that ended last. It returns none if the desk has gone.
func (r *Remote) Left() []Entry { return r.some(false) }

// Numbers returns the numbers of the live conversations. It returns none if the desk has gone.
func (r *Remote) Numbers() []uint64 {
	var all []uint64
	for _, e := range r.Roster() {
		all = append(all, e.Number)
	}
	return all
}

// Entry returns one live conversation.
func (r *Remote) Entry(n uint64) (Entry, error) {
	all, err := r.roster(n)
	switch {
	case err != nil:
		return Entry{}, err
	case len(all) != 1:
		return Entry{}, fmt.Errorf("%d: %w", n, ErrNobody)
	}
	return all[0], nil
}

// Say queues text for conversation n.
func (r *Remote) Say(ctx context.Context, n uint64, text string) error {
	return r.do(ctx, event.Request{Do: event.DoSend, Conn: n, Text: text})
}

// SayRaw queues exactly these bytes for conversation n, without framing.
func (r *Remote) SayRaw(ctx context.Context, n uint64, b []byte) error {
	if b == nil {
		b = []byte{}
	}
	return r.do(ctx, event.Request{Do: event.DoSend, Conn: n, Bytes: b, Raw: true})
}

// Bye queues the farewell of conversation n.
func (r *Remote) Bye(ctx context.Context, n uint64) error {
	return r.do(ctx, event.Request{Do: event.DoBye, Conn: n})
}

// SetFraming changes the framing of conversation n.
func (r *Remote) SetFraming(ctx context.Context, n uint64, name string) error {
	return r.do(ctx, event.Request{Do: event.DoFraming, Conn: n, Framing: name})
}

// SetEncoding changes the text encoding of conversation n.
func (r *Remote) SetEncoding(ctx context.Context, n uint64, name string) error {
	return r.do(ctx, event.Request{Do: event.DoEncoding, Conn: n, Encoding: name})
}

// Name gives conversation n a name.
func (r *Remote) Name(ctx context.Context, n uint64, name string) error {
	return r.do(ctx, event.Request{Do: event.DoName, Conn: n, Name: name})
}

// Note gives conversation n a note.
func (r *Remote) Note(ctx context.Context, n uint64, note string) error {
	return r.do(ctx, event.Request{Do: event.DoNote, Conn: n, Note: note})
}

// Kick ends conversation n as `kicked`.
func (r *Remote) Kick(ctx context.Context, n uint64, reason string) error {
	return r.do(ctx, event.Request{Do: event.DoKick, Conn: n, Reason: reason})
}

// Ban keeps an address or a network out.
func (r *Remote) Ban(ctx context.Context, rule, reason string) error {
	return r.do(ctx, event.Request{Do: event.DoBan, Address: rule, Reason: reason})
}

// Reload reads the lists of addresses again.
func (r *Remote) Reload(ctx context.Context) error {
	return r.do(ctx, event.Request{Do: event.DoReload})
}

// farQueue is how many events of a far desk may wait here.
const farQueue = 256

// Watch subscribes to events, over a connection of its own. If it cannot connect, Next returns the error.
func (r *Remote) Watch() Watcher {
	w := &remoteWatch{events: make(chan Event, farQueue), gone: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), controlWrite)
	defer cancel()
	nc, in, out, _, err := r.connect(ctx)
	if err == nil {
		w.nc = nc
		err = out.WriteLine(event.Request{Do: event.DoWatch, Operator: r.operator})
	}
	if err != nil {
		w.err = err
		close(w.events)
		return w
	}
	w.reading.Go(func() { w.read(in) })
	return w
}

// A remoteWatch reads events.
type remoteWatch struct {
	nc      net.Conn
	events  chan Event
	gone    chan struct{}
	once    sync.Once
	reading sync.WaitGroup
	told    atomic.Uint64
	err     error // why events is closed; written before
}

func (w *remoteWatch) read(in *event.Reader) {
	defer close(w.events)
	for {
		line, err := in.Next()
		var bad *event.LineError
		if err != nil && !errors.As(err, &bad) {
			w.err = fmt.Errorf("the desk is gone: %w", err)
			return
		}
		we, ok := line.(event.Event)
		if !ok {
			continue
		}
		e, ok := fromWire(we)
		if !ok {
			continue
		}
		select {
		case w.events <- e:
			w.told.Add(1)
		case <-w.gone:
			w.err = ErrStopped
			return
		}
	}
}

// Next waits for the next event. What is queued comes also after ctx has ended.
func (w *remoteWatch) Next(ctx context.Context) (Event, error) {
	select {
	case e, ok := <-w.events:
		return w.result(e, ok)
	default:
	}
	select {
	case e, ok := <-w.events:
		return w.result(e, ok)
	case <-w.gone:
		return Event{}, ErrStopped
	case <-ctx.Done():
	}
	select {
	case e, ok := <-w.events: // queued before, while this began to wait
		return w.result(e, ok)
	default:
		return Event{}, ctx.Err()
	}
}

func (w *remoteWatch) result(e Event, ok bool) (Event, error) {
	if !ok {
		return Event{}, w.err
	}
	return e, nil
}

// Told is how many events have come so far.
func (w *remoteWatch) Told() uint64 { return w.told.Load() }

// Stop ends the watch.
func (w *remoteWatch) Stop() {
	w.once.Do(func() { close(w.gone) })
	if w.nc != nil {
		_ = w.nc.Close()
	}
	w.reading.Wait()
}
