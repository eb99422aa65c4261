package web

import (
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/socketio"
)

// board is the live list: it looks at all live sessions a few times a second, and tells the viewers what changed since
// it looked before. One packet is made for all. While nobody looks on there is nothing.
//
// What a row holds is what viewers were told. A viewer that comes, or that did not read and was left out, gets all rows
// as they were told to the others, and is one of them from then on: so it sees each change once.
type board struct {
	hub   *hub.Hub
	space *socketio.Namespace
	wake  chan struct{} // holds one value when somebody came or left
	quit  chan struct{} // closed by close
	work  sync.WaitGroup

	mu      sync.Mutex
	lookers map[*viewer]*looker
	running bool // run is at work, and owns what is below
	closed  bool

	endings *hub.Endings
	rows    map[*hub.Session]*row
	lastRef int // of this server's life
	seq     int
	round   int
	told    time.Time // when the newest packet was made
	counts  counts
	stale   bool // viewers have rows of sessions that ended, of which they cannot be told
	renewed time.Time
	next    packet
}

// row is a live session as viewers were told of it.
type row struct {
	ref      int
	static   []byte // JSON of what does not change; the name stands behind the first part of it
	first    int
	name     string
	totals   session.Totals
	watchers int
	round    int // in which it was seen last
}

// looker is a viewer of the board.
type looker struct {
	told      bool // it gets what the others get; else it waits for all rows
	round     int  // in which it got all rows
	allowance int  // bytes that may wait for it
}

const (
	boardTick   = 250 * time.Millisecond // between packets, at least
	boardPulse  = 2 * time.Second        // at most, though nothing changes
	boardShare  = 10                     // it may take one part in so many of the time
	boardBehind = 256 << 10              // bytes that may wait for a viewer: else it is left out until it has read
	boardEnds   = 500                    // ended sessions in a packet
	boardKept   = 16 * boardEnds         // ended sessions that may wait for a tick
	boardRenew  = 2 * time.Second        // between resets for all
)

// lookersRoom is the room of those who get each packet.
const lookersRoom = "live"

func newBoard(h *hub.Hub, space *socketio.Namespace) *board {
	return &board{hub: h, space: space, wake: make(chan struct{}, 1), quit: make(chan struct{}), lookers: map[*viewer]*looker{}}
}

// enter has the viewer told of the live list: first of all of it.
func (b *board) enter(v *viewer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || !v.socket.Connected() {
		return
	}
	v.socket.Leave(lookersRoom)
	b.lookers[v] = &looker{allowance: boardBehind}
	if !b.running {
		b.running = true
		b.work.Go(b.run)
	}
	b.rouse()
}

// leave ends that; nothing comes behind what was sent before.
func (b *board) leave(v *viewer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lookers[v] != nil {
		delete(b.lookers, v)
		v.socket.Leave(lookersRoom)
		b.rouse()
	}
}

func (b *board) close() {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.quit)
	}
	clear(b.lookers)
	b.rouse()
	b.mu.Unlock()
	b.work.Wait()
}

func (b *board) rouse() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run works while somebody looks on: once for each tick, and when somebody comes. It rests so long that it never takes
// more than its share of the time, however many sessions there are.
func (b *board) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var due time.Time
	for {
		began := time.Now()
		b.mu.Lock()
		if len(b.lookers) == 0 {
			b.stop()
			b.mu.Unlock()
			return
		}
		if !began.Before(due) {
			b.tick(began)
			due = began.Add(boardTick)
		}
		b.tellAll()
		b.mu.Unlock()
		timer.Reset((boardShare - 1) * time.Since(began))
		select {
		case <-timer.C:
		case <-b.quit:
		}
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
		case <-b.wake:
		}
	}
}

// stop forgets the rows; b.mu is held.
func (b *board) stop() {
	b.running = false
	if b.endings != nil {
		b.endings.Close()
	}
	b.endings, b.rows = nil, nil
	b.next = packet{}
}

// tick looks at all sessions, and tells what changed; b.mu is held.
func (b *board) tick(now time.Time) {
	fresh := b.rows == nil
	if fresh {
		b.endings = b.hub.FollowEndings(boardKept)
		b.rows = map[*hub.Session]*row{}
	}
	b.round++
	b.next.begin()
	b.end(b.endings.Take()) // before the look: what it holds is not seen any more
	b.look()
	b.forget()
	if fresh || b.next.changes() || now.Sub(b.told) >= boardPulse {
		b.counts.read(b.hub)
		b.leaveOut()
		b.seq++
		b.told = now
		if !fresh {
			b.space.To(lookersRoom).Emit("live", b.next.finish(b.seq, now, &b.counts))
		}
	}
	if b.stale && now.Sub(b.renewed) >= boardRenew {
		b.stale, b.renewed = false, now
		for v, l := range b.lookers {
			b.without(v, l)
		}
	}
}

// look brings the rows up to date with the live sessions.
func (b *board) look() {
	b.counts.live = session.Totals{}
	b.counts.watchers = 0
	b.hub.EachLive(func(s *hub.Session) bool {
		totals, watchers := s.Totals(), s.Watchers()
		b.counts.live.ReceivedBytes += totals.ReceivedBytes
		b.counts.live.SentBytes += totals.SentBytes
		b.counts.watchers += watchers
		r := b.rows[s]
		if r == nil {
			b.lastRef++
			r = newRow(b.lastRef, s)
			b.rows[s] = r
			r.totals, r.watchers, r.round = totals, watchers, b.round
			b.next.add(r)
			return true
		}
		r.round = b.round
		if r.totals != totals || r.watchers != watchers {
			r.totals, r.watchers = totals, watchers
			b.next.change(r)
		}
		if name := s.Name(); name != r.name {
			r.name = name
			b.next.rename(r)
		}
		return true
	})
}

// end takes out the rows of sessions that ended. More than a packet holds are left to a reset, if they had rows.
func (b *board) end(list []*hub.Session) {
	from := max(0, len(list)-boardEnds)
	for i, s := range list {
		r := b.rows[s]
		delete(b.rows, s)
		switch {
		case i >= from:
			sum := s.Summary()
			sum.SetEnd(*s.Ended())
			sum.Frame = ""
			b.next.end(r, &sum)
		case r != nil:
			b.stale = true
		}
	}
}

// forget takes out the rows of sessions of whose end nobody told, since more ended than were kept.
func (b *board) forget() {
	for s, r := range b.rows {
		if r.round < b.round-1 { // between leaving the list and being told of there is a moment
			delete(b.rows, s)
			b.stale = true
		}
	}
}

// leaveOut takes viewers out that do not read.
func (b *board) leaveOut() {
	for v, l := range b.lookers {
		waiting := v.socket.Client().Waiting()
		switch {
		case l.told && waiting > l.allowance:
			b.without(v, l)
		case waiting <= boardBehind && b.round > l.round+1:
			l.allowance = boardBehind
		}
	}
}

// without has a viewer get nothing until it is told all.
func (b *board) without(v *viewer, l *looker) {
	if l.told {
		l.told = false
		v.socket.Leave(lookersRoom)
	}
}

// tellAll tells all rows to those who wait for that and have read what was sent before; b.mu is held.
func (b *board) tellAll() {
	var ids []string
	var waiting []*viewer
	for v, l := range b.lookers {
		if !l.told && v.socket.Client().Waiting() <= boardBehind {
			ids = append(ids, v.socket.ID())
			waiting = append(waiting, v)
		}
	}
	if len(waiting) == 0 {
		return
	}
	to, size := b.space.To(ids...), 0
	b.next.whole(b.seq, b.told, &b.counts, b.rows, func(part []byte) {
		size += len(part)
		to.Emit("live", rawJSON(part))
	})
	for _, v := range waiting {
		l := b.lookers[v]
		l.told, l.round = true, b.round
		l.allowance = boardBehind + 2*size // else a slow one would get nothing but the beginning
		v.socket.Join(lookersRoom)
	}
}
