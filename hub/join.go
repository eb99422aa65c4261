package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/announce"
	"github.com/switchboard-relay/switchboard/session"
)

// MaxJoined is how many may look on in one session, and how many type along.
const MaxJoined = 64

// lookersMinute is how many may come to look on in a minute: each is on record, and who looks on is to write little into it.
const lookersMinute = 4 * MaxJoined

// typistStays is for how long who typed without having joined is announced.
const typistStays = 5 * time.Second

// guests are those who have joined a session.
type guests struct {
	mu      sync.Mutex
	list    []*guest
	passing map[string]*passing // of those who type without having joined
	told    string              // what was announced last

	minute time.Time // since when those who look on are counted
	came   int       // of them
}

type guest struct {
	by    string
	types bool
}

type passing struct {
	timer *time.Timer
	leave func()
}

// Announced is a connection whose other side tells the person at the terminal itself who has joined. It must not wait; empty
// is nobody.
type Announced interface{ Announce(text string) }

// JoinIn has somebody look on in a live session of this node, or type along: that is on record as Watched, and announced to
// the far end as the session's listener says, until leave is called or the session ends. The error is ErrNotLive if it is not
// live here, and wraps ErrCannotType if nobody can type in it or too many have joined.
func (h *Hub) JoinIn(_ context.Context, id session.ID, by string, types bool) (leave func(), err error) {
	s := h.live.get(id)
	if s == nil || s.over.Load() != nil {
		return nil, ErrNotLive
	}
	if types {
		if _, err := s.keyboard(); err != nil {
			return nil, err
		}
	}
	release, err := s.Keep()
	if err != nil {
		return nil, err
	}
	left, err := s.joinIn(by, types)
	if err != nil {
		release()
		return nil, err
	}
	return func() { left(); release() }, nil
}

func (s *Session) joinIn(by string, types bool) (leave func(), err error) {
	g := &guest{by, types}
	l := &s.more().guests
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.admit(types); err != nil {
		return nil, err
	}
	l.list = append(l.list, g)
	s.recordWatch(session.Watch{By: by, Types: types})
	s.announce(l)
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.list = slices.DeleteFunc(l.list, func(other *guest) bool { return other == g })
		s.recordWatch(session.Watch{By: by, Types: types, Left: true})
		s.announce(l)
	}), nil
}

// admit tells why nobody more can join; l.mu is held.
func (l *guests) admit(types bool) error {
	same := 0
	for _, g := range l.list {
		if g.types == types {
			same++
		}
	}
	if same >= MaxJoined {
		return fmt.Errorf("%w: %d have joined already", ErrCannotType, MaxJoined)
	}
	if types {
		return nil
	}
	if time.Since(l.minute) > time.Minute {
		l.minute, l.came = time.Now(), 0
	}
	if l.came >= lookersMinute {
		return fmt.Errorf("%w: %d came to look on within a minute: join later", ErrCannotType, l.came)
	}
	l.came++
	return nil
}

func (s *Session) recordWatch(w session.Watch) {
	if s.over.Load() == nil {
		s.log.Append(session.Watched, session.JSON(w))
	}
}

// typesBy announces somebody who types and has not joined.
func (s *Session) typesBy(by string) {
	l := &s.more().guests
	l.mu.Lock()
	p := l.passing[by]
	known := p != nil || slices.ContainsFunc(l.list, func(g *guest) bool { return g.types && g.by == by })
	if p != nil {
		p.timer.Reset(typistStays)
	}
	l.mu.Unlock()
	if known {
		return
	}
	leave, err := s.joinIn(by, true)
	if err != nil {
		return // 64 others are announced
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.passing[by] != nil { // another did the same just now
		go leave() // it takes l.mu
		return
	}
	if l.passing == nil {
		l.passing = map[string]*passing{}
	}
	p = &passing{leave: leave}
	l.passing[by] = p
	p.timer = time.AfterFunc(typistStays, func() {
		l.mu.Lock()
		delete(l.passing, by)
		l.mu.Unlock()
		leave()
	})
}

// announce tells the far end who has joined; l.mu is held.
func (s *Session) announce(l *guests) {
	conf := s.listener.config()
	text := l.text(conf.AnnounceWatchers)
	if text == l.told {
		return
	}
	l.told = text
	if c, can := s.conn.(Announced); can {
		c.Announce(text)
	} else if v := s.more().voice; v != nil {
		v.Say(text)
	}
}

// text says who has joined, each once; l.mu is held.
func (l *guests) text(all bool) string {
	var typists, lookers []string
	for _, g := range l.list {
		if g.types && !slices.Contains(typists, g.by) {
			typists = append(typists, g.by)
		}
	}
	for _, g := range l.list {
		if all && !g.types && !slices.Contains(typists, g.by) && !slices.Contains(lookers, g.by) {
			lookers = append(lookers, g.by)
		}
	}
	var parts []string
	if len(typists) > 0 {
		parts = append(parts, few(typists)+ending(len(typists), " types along", " type along"))
	}
	if len(lookers) > 0 {
		parts = append(parts, few(lookers)+ending(len(lookers), " looks on", " look on"))
	}
	return strings.Join(parts, "; ")
}

// few names some.
func few(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d others", strings.Join(names[:most-1], ", "), len(names)-most+1)
	}
	return strings.Join(names, ", ")
}

func ending(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// openVoice makes ready to announce, where the far end is at a terminal that this side writes to itself.
func (s *Session) openVoice(terminal string) {
	way := s.conf.Announce
	if way == "" {
		way = announce.Title
	}
	_, itself := s.conn.(Announced)
	if terminal == "" || way == announce.Off || itself || s.lossy() {
		return
	}
	v := announce.New(way, s.putAnnouncement)
	if s.conf.Telnet {
		v.OverTelnet()
	}
	s.more().voice = v
	s.OnEnd(v.Close)
}

// putAnnouncement writes what the far end is told beside the record.
func (s *Session) putAnnouncement(next func() []byte) error {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	if e := s.over.Load(); e != nil {
		return e
	}
	if s.box.Load() != nil {
		return fmt.Errorf("a room writes here")
	}
	p := next()
	if len(p) == 0 {
		return nil
	}
	_, err := s.conn.Write(p)
	return err
}

// showed follows what was written to the far end; s.sendMu is held.
func (s *Session) showed(p []byte) {
	if x := s.extra.Load(); x != nil && x.voice != nil {
		x.voice.Passed(p)
	}
}

// hush takes an announcement back before the last is written; s.sendMu is held.
func (s *Session) hush() {
	if x := s.extra.Load(); x != nil && x.voice != nil && s.over.Load() == nil && s.box.Load() == nil {
		if p := x.voice.Undo(); len(p) > 0 {
			s.conn.Write(p) // an error shows in what follows
		}
	}
}
