package main

import (
	"bufio"
	"context"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

const (
	minSpeed = 1.0 / 64
	maxSpeed = 1024
	seekStep = 5 * time.Second
)

// tape is what a player plays. Feed sends pages of events from a place on, then closes the channel.
type tape interface {
	feed(ctx context.Context, from place, pages chan<- page)
}

// player shows a session's events when their time comes. Each event's time is reckoned from the last anchor, not from
// the event before, so that delays do not add up. It is for one goroutine.
type player struct {
	tape   tape
	start  int64         // of the session, Unix time in µs
	length time.Duration // of the session; 0 while it is live
	idle   time.Duration // silences are cut to this; 0 leaves them
	out    *bufio.Writer
	view   *view
	raw    bool
	draw   func(context.Context, moment) (shot, error) // what a terminal showed; nil if that is not to be known
	keys   <-chan key                                  // nil without a terminal
	status *statusLine                                 // nil without a terminal

	// The clock: at the wall time anchor the session's time was at.
	anchor time.Time
	at     time.Duration
	speed  float64
	paused bool

	// What comes next.
	pages  <-chan page
	stop   context.CancelFunc
	queue  []session.Event
	over   bool // nothing comes behind the queue
	adrift bool // the clock is set by the first event to come
	steps  int  // events to show however early they are
	last   time.Duration
	number uint64
}

// run plays from a place to the end.
func (p *player) run(ctx context.Context, from place) error {
	p.load(ctx, from)
	p.adrift = from.number > 0
	if from.number > 1 || from.offset > 0 {
		p.redraw(ctx, from)
	}
	defer func() { p.stop() }()
	var ticks <-chan time.Time
	if p.status != nil {
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		defer p.status.clear()
		ticks = ticker.C
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if err := p.showDue(time.Now()); err != nil {
			return err
		}
		if len(p.queue) == 0 && p.over {
			return nil
		}
		var due <-chan time.Time
		if len(p.queue) > 0 && !p.paused {
			timer.Reset(time.Until(p.due(p.queue[0])))
			due = timer.C
		}
		pages := p.pages
		if len(p.queue) > 0 || p.over {
			pages = nil
		}
		select {
		case <-due:
		case <-ticks:
		case got, more := <-pages:
			if got.err != nil {
				return got.err
			}
			p.queue, p.over = got.events, !more
		case k := <-p.keys:
			if p.press(ctx, k) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// load begins to read from another place and sets the clock there.
func (p *player) load(ctx context.Context, from place) {
	if p.stop != nil {
		p.stop()
	}
	ctx, p.stop = context.WithCancel(ctx)
	pages := make(chan page, 1)
	go p.tape.feed(ctx, from, pages) // stop ends it
	p.pages, p.queue, p.over, p.last = pages, nil, false, from.offset
	p.set(from.offset)
}

// set puts the clock to a time of the session.
func (p *player) set(at time.Duration) { p.anchor, p.at = time.Now(), at }

// now is the time of the session that is shown.
func (p *player) now() time.Duration {
	if p.paused {
		return p.at
	}
	at := p.at + time.Duration(float64(time.Since(p.anchor))*p.speed)
	if p.length > 0 {
		at = min(at, p.length)
	}
	return at
}

// time is when an event happened, from the session's start on.
func (p *player) time(ev session.Event) time.Duration { return max(micros(ev.Time-p.start), 0) }

// playTime is when an event is to be shown: its time, or earlier if a silence before it is cut.
func (p *player) playTime(ev session.Event) time.Duration {
	t := p.time(ev)
	if p.idle > 0 {
		t = min(t, p.last+p.idle)
	}
	return t
}

// due is when an event is to be shown by the wall clock.
func (p *player) due(ev session.Event) time.Time {
	return p.anchor.Add(time.Duration(float64(p.playTime(ev)-p.at) / p.speed))
}

// showDue shows all events whose time has come, and the status below them.
func (p *player) showDue(now time.Time) error {
	for len(p.queue) > 0 {
		ev := p.queue[0]
		if !p.view.shows(ev) && ev.Kind != session.Closed {
			p.queue = p.queue[1:]
			continue
		}
		if p.adrift {
			p.adrift, p.last = false, p.time(ev)
			p.set(p.last)
		}
		early := p.paused || now.Before(p.due(ev))
		if early && p.steps == 0 {
			break
		}
		p.advance(ev, early)
		p.queue = p.queue[1:]
		p.status.clear()
		if err := p.view.event(ev); err != nil {
			return err
		}
	}
	p.status.draw(p)
	return p.out.Flush()
}

// advance moves the clock for an event that is shown now: forward to it if it is early, over a silence that was cut.
func (p *player) advance(ev session.Event, early bool) {
	t := p.time(ev)
	switch {
	case early:
		p.steps--
		p.set(t)
	case t > p.playTime(ev):
		p.anchor, p.at = p.due(ev), t
	}
	p.last, p.number = t, ev.Number
}

// press does what a key says and reports whether to quit.
func (p *player) press(ctx context.Context, k key) (quit bool) {
	switch k {
	case keyQuit:
		return true
	case keyPause:
		p.set(p.now())
		p.paused = !p.paused
	case keyStep:
		if !p.paused {
			p.set(p.now())
			p.paused = true
		}
		p.steps++
	case keyFaster:
		p.set(p.now())
		p.speed = min(p.speed*2, maxSpeed)
	case keySlower:
		p.set(p.now())
		p.speed = max(p.speed/2, minSpeed)
	case keyForward:
		p.seek(ctx, p.now()+seekStep)
	case keyBack:
		p.seek(ctx, p.now()-seekStep)
	}
	return false
}

// redraw begins with what the terminal showed before a place, and reports whether that is known.
func (p *player) redraw(ctx context.Context, from place) bool {
	if p.draw == nil {
		return false
	}
	s, err := p.draw(ctx, from.before())
	if err != nil {
		return false
	}
	p.out.Write(s.Data)
	adrift := p.adrift
	p.load(ctx, place{number: s.Number + 1})
	p.set(from.offset)
	p.last, p.adrift = from.offset, adrift
	return true
}

// seek goes to another time. Raw bytes draw on what was drawn before, so there what the terminal showed comes first. Where that
// is not known, everything up to that time is shown at once: from where the session is, or from its start on an empty screen.
func (p *player) seek(ctx context.Context, to time.Duration) {
	to = max(to, 0)
	if p.length > 0 {
		to = min(to, p.length)
	}
	p.steps = 0
	if p.raw && p.redraw(ctx, place{offset: to}) {
		return
	}
	if p.raw && to >= p.now() {
		p.set(to)
		return
	}
	if p.raw {
		p.out.WriteString("\x1bc")
		p.load(ctx, place{})
		p.set(to)
		return
	}
	p.load(ctx, place{offset: to})
	p.status.clear()
	p.view.forget()
	p.view.note(formatOffset(to.Microseconds(), false))
}
