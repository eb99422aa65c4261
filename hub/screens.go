package hub

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// screens keeps what the terminals of sessions show, behind some of their events, off the way of their bytes: it reads the
// recordings as they grow.
type screens struct {
	hub    *Hub
	cache  screenCache
	builds chan struct{} // holds a value for each long way that somebody waits for

	rounds sync.Mutex // one at a time

	mu     sync.Mutex
	tracks map[session.ID]*track
	queue  []*track // to be completed, each held
	queued chan struct{}

	idle time.Duration // how long a terminal stays that nothing is written to

	keeping sync.Mutex // held for a round, which owns what is the keeper's
}

const (
	screensEvery   = time.Second
	screensPeriod  = 10 * time.Second // how late screens of a session may be kept that sends little, and
	screensOutput  = 256 << 10        // after how many bytes that were sent at the latest
	screensIdle    = 30 * time.Second
	screensSlice   = 1 << 20 // bytes of events that are read in one turn, or as much work
	screensTurns   = 8       // before other sessions get theirs
	screensBuilds  = 2
	mostTerminals  = 256      // in memory, for keeping screens
	mostTerminal   = 64 << 20 // bytes of them
	mostRecordings = 64       // whose screens are asked for
	mostQueued     = 64
)

func (k *screens) init(h *Hub) {
	k.hub, k.idle = h, screensIdle
	k.tracks = map[session.ID]*track{}
	k.builds = make(chan struct{}, screensBuilds)
	k.queued = make(chan struct{}, 1)
	k.cache.init()
}

// begin has the screens of a new session kept, if it is a terminal.
func (k *screens) begin(s *Session) {
	_, describes := s.conn.(describing)
	said := s.conf.Terminal != "" || describes || s.extra.Load() != nil // to ask for Info takes longer
	if s.conf.Record == session.RecordOff || !said || s.Info().Terminal == "" {
		return
	}
	t := newTrack(k.hub, s.id, s.start)
	t.log, t.telnet = s.log, s.conf.Telnet
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.tracks[s.id] == nil { // or somebody has asked for its screen already
		k.tracks[s.id] = t
	}
}

// hold is the track of a session, begun if there is none. The caller lets go of it.
func (k *screens) hold(ctx context.Context, id session.ID) (*track, error) {
	if t := k.take(id); t != nil {
		return t, nil
	}
	sum, err := k.hub.Find(ctx, string(id))
	if err != nil {
		return nil, err
	}
	if sum.Record == session.RecordOff {
		return nil, ErrNoScreen
	}
	t := newTrack(k.hub, sum.ID, sum.Start)
	t.telnet = sum.Telnet
	if t.log = k.hub.liveLog(sum.ID); t.log == nil {
		t.total = sum.Events
		if t.recording, err = k.hub.store.Recording(sum.ID, sum.Start); err != nil {
			return nil, err
		}
		t.telnet = t.recording.Summary().Telnet
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if other := k.tracks[sum.ID]; other != nil {
		t.close()
		t = other
	}
	k.tracks[sum.ID] = t
	t.users++
	t.used = time.Now()
	return t, nil
}

func (k *screens) take(id session.ID) *track {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.tracks[id]
	if t != nil {
		t.users++
		t.used = time.Now()
	}
	return t
}

func (k *screens) release(t *track) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t.users--; t.users == 0 && t.gone {
		t.close()
	}
}

// forget lets go of a session whose recording is removed.
func (k *screens) forget(id session.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t := k.tracks[id]; t != nil {
		k.drop(t)
	}
}

// drop takes a track out; k.mu is held.
func (k *screens) drop(t *track) {
	delete(k.tracks, t.id)
	if t.gone = true; t.users == 0 {
		t.close()
	}
}

// complete has all screens of an ended session kept, soon.
func (k *screens) complete(t *track) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t.waits || len(k.queue) >= mostQueued {
		return
	}
	t.waits = true
	t.users++
	k.queue = append(k.queue, t)
	select {
	case k.queued <- struct{}{}:
	default:
	}
}

// build completes what was asked for, one after the other, until the context ends.
func (k *screens) build(ctx context.Context) {
	for {
		k.mu.Lock()
		var t *track
		if len(k.queue) > 0 {
			t, k.queue = k.queue[0], slices.Delete(k.queue, 0, 1)
		}
		k.mu.Unlock()
		if t == nil {
			select {
			case <-k.queued:
				continue
			case <-ctx.Done():
				return
			}
		}
		for t.catchUp(ctx, screensTurns) && ctx.Err() == nil {
		}
		k.mu.Lock()
		t.waits = false
		k.mu.Unlock()
		k.release(t)
	}
}

// keep looks after the live terminals until the context ends.
func (k *screens) keep(ctx context.Context) {
	ticker := time.NewTicker(screensEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			k.round(ctx, time.Now())
		case <-ctx.Done():
			for _, t := range k.list() {
				t.turn <- struct{}{}
				t.rest()
				<-t.turn
				k.release(t)
			}
			return
		}
	}
}

// list is all tracks, held, the one that was used last in front.
func (k *screens) list() []*track {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := make([]*track, 0, len(k.tracks))
	for _, t := range k.tracks {
		t.users++
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *track) int { return b.used.Compare(a.used) })
	return list
}

// round keeps the screens of the sessions that sent something, and lets go of what is idle.
func (k *screens) round(ctx context.Context, now time.Time) {
	k.keeping.Lock()
	defer k.keeping.Unlock()
	k.rounds.Lock()
	defer k.rounds.Unlock()
	var r census
	for _, t := range k.list() {
		if ctx.Err() == nil {
			k.tend(ctx, t, now, &r)
		}
		k.release(t)
	}
	k.cache.trim(now)
}

// census counts what is in memory.
type census struct{ terminals, bytes, ended int }

func (r *census) isFull() bool {
	return r.terminals > mostTerminals || r.bytes > mostTerminal || r.ended > mostRecordings
}

func (k *screens) tend(ctx context.Context, t *track, now time.Time, r *census) {
	if t.log != nil && t.isDue(now) {
		if t.catchUp(ctx, screensTurns) { // others are to have their turn
			t.seen, t.looked = 0, time.Time{}
		}
		k.touch(t, now)
	}
	ended := t.log == nil || t.isOver()
	if ended {
		r.ended++
	}
	if bytes := int(t.memory.Load()); bytes > 0 {
		r.terminals++
		r.bytes += bytes
	}
	unneeded := now.Sub(k.lastUse(t)) >= k.idle || r.isFull()
	if unneeded {
		t.tryRest()
	}
	if ended && (unneeded || t.log != nil) { // who asks for what has ended is answered from its file
		k.dropUnused(t)
	}
}

func (k *screens) touch(t *track, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t.used = now
}

func (k *screens) lastUse(t *track) time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return t.used
}

// dropUnused drops a track that nobody but the caller holds.
func (k *screens) dropUnused(t *track) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t.users == 1 && k.tracks[t.id] == t {
		k.drop(t)
	}
}

// kept has the index count the screens of an ended session.
func (k *screens) kept(t *track) {
	if err := k.hub.countScreens(t.id, t.start); err != nil && !errors.Is(err, context.Canceled) {
		k.hub.logger.Warn("the index cannot be told what screens take", "session", t.id, "error", err)
	}
}

// isDue reports whether there is enough that is new. It is asked once in a round.
func (t *track) isDue(now time.Time) bool {
	if t.isOver() {
		return false
	}
	if t.hub.live.get(t.id) == nil {
		if _, open := t.hub.rooms.get(t.id); !open {
			return true // it has ended
		}
	}
	sent := t.log.Totals().SentBytes
	if t.log.Events() == t.seen || now.Sub(t.looked) < screensPeriod && sent-min(t.sent, sent) < screensOutput {
		return false
	}
	t.seen, t.sent, t.looked = t.log.Events(), sent, now
	return true
}

// countScreens puts the size of a recording with its screens into the index.
func (h *Hub) countScreens(id session.ID, start int64) error {
	h.sizes.Lock()
	defer h.sizes.Unlock()
	sum, err := h.store.Summary(id, start)
	if err != nil {
		return nil // not sealed yet, and counted when it is; or removed
	}
	return h.index.SetSize(context.Background(), id, sum.Size)
}
