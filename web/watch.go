package web

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// watchAsk is what a viewer says to watch a session.
type watchAsk struct {
	Stream int64      `json:"stream"`
	ID     session.ID `json:"id"`
	From   uint64     `json:"from"` // number of the first event; or
	Time   *int64     `json:"time"` // instead, µs since the session's start
	Back   struct {
		Events uint64 `json:"events"`
		Bytes  int64  `json:"bytes"`
	} `json:"back"` // begin so much before; of two places the later one holds
	Skip   uint64 `json:"skip"` // leave out so many events of number From
	To     uint64 `json:"to"`   // number of the last event; 0 for none
	Follow *bool  `json:"follow"`
	Pace   *int64 `json:"pace"`   // ms
	Window int64  `json:"window"` // bytes
	Screen bool   `json:"screen"` // begin with what the terminal shows there
	Bare   bool   `json:"bare"`   // without telnet's commands, as with Screen
}

// watchReply says what will come.
type watchReply struct {
	Summary session.Summary `json:"summary"`
	From    uint64          `json:"from"`
	At      uint64          `json:"at"`
	Screen  *shownScreen    `json:"screen,omitempty"`
}

// What a stream may ask for.
const (
	maxStreams    = 64  // of one viewer
	maxRecordings = 256 // that all streams read together
	defaultPace   = 16 * time.Millisecond
	maxPace       = time.Second
	defaultWindow = 256 << 10
	minWindow     = 16 << 10
	maxWindow     = 4 << 20
)

// errStreams is in the way of one more stream.
var errStreams = errors.New("no such stream can begin")

type streamsError string

func (e streamsError) Error() string        { return string(e) }
func (e streamsError) Is(target error) bool { return target == errStreams }

func (a *watchAsk) check() error {
	switch {
	case a.From != 0 && a.Time != nil:
		return bad("from and time both say where to begin: give one of them")
	case a.Skip != 0 && (a.From == 0 || a.Back.Events != 0 || a.Back.Bytes != 0):
		return bad("skip says how many events of number from to leave out: give from, without back")
	case a.Screen && (a.Skip != 0 || a.Back.Events != 0 || a.Back.Bytes != 0):
		return bad("a stream that begins with the screen begins right behind it: leave out back and skip")
	case a.From > math.MaxInt64 || a.Back.Bytes < 0 || a.Time != nil && *a.Time < 0:
		return bad("from, time and back must be small positive numbers")
	case a.To != 0 && a.To < a.From:
		return bad("the end lies before the beginning")
	case a.Pace != nil && (*a.Pace < 0 || *a.Pace > maxPace.Milliseconds()):
		return bad("pace %d: must be 0 to %d ms", *a.Pace, maxPace.Milliseconds())
	case a.Window != 0 && (a.Window < minWindow || a.Window > maxWindow):
		return bad("window %d: must be %d to %d bytes", a.Window, minWindow, maxWindow)
	}
	return nil
}

// follows reports whether the stream waits for what comes.
func (a *watchAsk) follows(sum *session.Summary) bool {
	return sum.State == session.Live && (a.Follow == nil || *a.Follow)
}

// watch begins a stream of a session's events. They come behind the answer.
func (v *viewer) watch(ctx context.Context, ask watchAsk) (any, error) {
	if err := ask.check(); err != nil {
		return nil, err
	}
	if err := v.streams.free(ask.Stream); err != nil {
		return nil, err
	}
	s := v.viewers.server
	sum, err := s.Hub.Find(ctx, string(ask.ID))
	if err != nil {
		return nil, err
	}
	at := max(ask.From, 1)
	if ask.Time != nil {
		us := min(*ask.Time, math.MaxInt64-sum.Start)
		if at, err = s.Hub.NumberAt(ctx, sum.ID, sum.Start+us); err != nil {
			return nil, err
		}
	}
	from := at
	if n := ask.Back.Events; n > 0 {
		from = at - min(n, at-1)
	}
	if n := ask.Back.Bytes; n > 0 && at > 1 && (from < at || ask.Back.Events == 0) {
		before, err := s.Hub.Before(ctx, sum.ID, at, n)
		if err != nil {
			return nil, err
		}
		if from = max(from, before); ask.Back.Events == 0 {
			from = before
		}
	}
	var shown *shownScreen
	if ask.Screen {
		if shown, err = v.showScreen(ctx, &sum, &ask, at); err != nil {
			return nil, err
		}
		from = shown.Number + 1
	}
	recorded := sum.State == session.Recorded
	if recorded && v.viewers.recordings.Add(1) > maxRecordings {
		v.viewers.recordings.Add(-1)
		return nil, streamsError("256 recordings are being read already: try again when somebody has closed one")
	}
	events, err := s.Hub.Events(ctx, sum.ID, from)
	if err != nil {
		if recorded {
			v.viewers.recordings.Add(-1)
		}
		return nil, err
	}
	if ask.follows(&sum) {
		s.openings.used(sum.ID, v.who.Name)
	}
	if ask.Bare || ask.Screen {
		events.Bare()
	}
	from = events.Position()
	st := &stream{viewer: v, number: ask.Stream, id: sum.ID, events: events, recorded: recorded, ask: ask, skip: ask.Skip,
		window: ask.Window, pace: defaultPace, done: make(chan struct{}), news: make(chan struct{}, 1)}
	if st.window == 0 {
		st.window = defaultWindow
	}
	if ask.Pace != nil {
		st.pace = time.Duration(*ask.Pace) * time.Millisecond
	}
	st.follow = ask.follows(&sum)
	st.batch.start = sum.Start
	ctx, st.cancel = context.WithCancel(context.Background())
	v.streams.add(st)
	v.socket.AfterReply(func() { go st.run(ctx) }) // ends with unwatch, or with the viewer, who wait for it
	return watchReply{sum, from, max(at, from), shown}, nil
}

// unwatch ends a stream: nothing of it comes behind the answer.
func (v *viewer) unwatch(_ context.Context, ask struct{ Stream int64 }) (any, error) {
	if st := v.streams.get(ask.Stream); st != nil {
		st.end()
	}
	return struct{}{}, nil
}

// took gives a stream the room back that its batches took, once they have been handled.
func (v *viewer) took(number, bytes int64) {
	if st := v.streams.get(number); st != nil && bytes > 0 {
		st.took(bytes)
	}
}

func (st *stream) end() {
	st.cancel()
	<-st.done
	st.viewer.streams.remove(st)
}

// streams are a viewer's, by the numbers that it gave them.
type streams struct {
	mu sync.Mutex
	m  map[int64]*stream
}

// free tells why a stream of the number cannot begin.
func (l *streams) free(number int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.m[number] != nil:
		return streamsError("a stream of this number is there already: unwatch it, or choose another number")
	case len(l.m) >= maxStreams:
		return streamsError("64 streams are there already: unwatch some")
	}
	return nil
}

func (l *streams) add(st *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m == nil {
		l.m = map[int64]*stream{}
	}
	l.m[st.number] = st
}

func (l *streams) get(number int64) *stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.m[number]
}

func (l *streams) remove(st *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m[st.number] == st {
		delete(l.m, st.number)
	}
}

// finish removes a stream that has ended, and tells so: as one, or unwatch would find nothing to wait for, and what is told
// would come behind its answer, and be taken for the end of the next stream of that number.
func (l *streams) finish(st *stream, tell func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m[st.number] == st {
		delete(l.m, st.number)
	}
	tell()
}

// close ends all of them.
func (l *streams) close() {
	l.mu.Lock()
	var list []*stream
	for _, st := range l.m {
		list = append(list, st)
	}
	l.mu.Unlock()
	for _, st := range list {
		st.cancel()
	}
	for _, st := range list {
		<-st.done
	}
}
