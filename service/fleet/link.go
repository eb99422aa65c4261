package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// Link is the connections of a fleet's web server: protocol document, section 5. There may be several, and each gets all.
type Link struct {
	fleet *fleet

	mu    sync.Mutex
	conns map[*linked]bool
	came  chan struct{} // closed when one comes; nil while nobody waits
}

// ErrNoLink says that no web server is connected, or that each went away meanwhile.
var ErrNoLink = errors.New("the web server is not connected")

func newLink(f *fleet) *Link { return &Link{fleet: f, conns: map[*linked]bool{}} }

// Link is the one of a fleet.
func (f *Fleets) Link(fleet string) *Link { return f.fleet(fleet).link }

// Connected is how many connections of the web server there are.
func (l *Link) Connected() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// Wait waits until a web server is connected.
func (l *Link) Wait(ctx context.Context) error {
	for {
		l.mu.Lock()
		if len(l.conns) > 0 {
			l.mu.Unlock()
			return nil
		}
		if l.came == nil {
			l.came = make(chan struct{})
		}
		came := l.came
		l.mu.Unlock()
		select {
		case <-came:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Deliver writes lines, each with its end, to all connections, and returns once the systems at their far ends have acknowledged
// all of it; where that cannot be known, once it is written. One is enough: those that break meanwhile do not count, and one that
// takes nothing for 30 s is ended as slow. ErrNoLink says that nobody has it all: it is to be delivered again.
func (l *Link) Deliver(ctx context.Context, lines []byte) error {
	l.mu.Lock()
	conns := make([]*linked, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	if len(conns) == 0 {
		return ErrNoLink
	}
	lines = bytes.Clone(lines) // a connection may go on with them when ctx has ended
	done := make(chan error, len(conns))
	for _, c := range conns {
		go func() { done <- c.deliver(lines) }() // ends within linkLimit of the far end's last sign
	}
	delivered := false
	for range conns {
		select {
		case err := <-done:
			delivered = delivered || err == nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if !delivered {
		return ErrNoLink
	}
	return nil
}

// linkLimit is how long a web server may take nothing.
const linkLimit = 30 * time.Second

// linked is one connection of the web server.
type linked struct {
	s     *hub.Session
	limit time.Duration
	mu    sync.Mutex // held while something is written, so that lines stay whole

	saying  sync.Mutex
	unsaid  []byte // lines that later was called with
	talking bool   // a goroutine writes them
}

// maxUnsaid is how many bytes of answers may wait for a web server that does not read.
const maxUnsaid = 4 << 20

// later writes a line soon.
func (c *linked) later(line []byte) {
	c.saying.Lock()
	defer c.saying.Unlock()
	if c.s.Ended() != nil {
		return
	}
	if len(c.unsaid)+len(line) > maxUnsaid {
		c.s.End(session.Slow, "the web server does not read the answers to its commands")
		return
	}
	c.unsaid = append(append(c.unsaid, line...), '\n')
	if !c.talking {
		c.talking = true
		go c.talk() // ends with the last line, at the latest when the session does
	}
}

func (c *linked) talk() {
	for {
		c.saying.Lock()
		lines := c.unsaid
		c.unsaid = nil
		if len(lines) == 0 || c.s.Ended() != nil {
			c.talking = false
			c.saying.Unlock()
			return
		}
		c.saying.Unlock()
		c.write(lines) // an error is the session's end
	}
}

// linkPiece is how much is written at once, each within the limit.
const linkPiece = 64 << 10

func (c *linked) deliver(lines []byte) error {
	if err := c.write(lines); err != nil {
		return err
	}
	return c.acknowledged()
}

func (c *linked) write(lines []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(lines) > 0 {
		n := min(len(lines), linkPiece)
		c.s.SetWriteDeadline(time.Now().Add(c.limit))
		if _, err := c.s.Write(lines[:n]); err != nil {
			if isTimeout(err) {
				return c.slow()
			}
			c.s.EndWith(err)
			return err
		}
		lines = lines[n:]
	}
	return nil
}

func (c *linked) slow() error {
	c.s.End(session.Slow, fmt.Sprintf("the web server took nothing for %s", c.limit))
	return c.s.Ended()
}

// acknowledged waits until the far end's system has all that was written by now. More may be written meanwhile, without an end.
func (c *linked) acknowledged() error {
	until, most, least, since := uint64(0), uint64(0), -1, time.Now()
	for wait := 20 * time.Microsecond; ; wait = min(2*wait, 2*time.Millisecond) {
		left, acked, known, err := transport.Unacknowledged(c.s.Under())
		if err != nil {
			return err
		}
		if !known || left == 0 || least >= 0 && acked >= until {
			return nil
		}
		if e := c.s.Ended(); e != nil {
			return e
		}
		switch {
		case least < 0:
			until, most, least = acked+uint64(left), acked, left
		case acked > most || left < least:
			most, least, since = acked, min(left, least), time.Now()
		case time.Since(since) > c.limit:
			return c.slow()
		}
		time.Sleep(wait)
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// LinkService is what the listener of the web server's connections does with them: a hub.Server.
func (f *Fleets) LinkService(fleet string) *LinkService {
	return &LinkService{all: f, link: f.Link(fleet)}
}

// LinkService joins connections to a Link, and has what comes from them done.
type LinkService struct {
	all  *Fleets
	link *Link
}

var _ hub.Server = (*LinkService)(nil)

// maxLine is how long a line of the web server may be, in bytes.
const maxLine = 1 << 20

// Serve reads lines until the connection ends.
func (svc *LinkService) Serve(ctx context.Context, s *hub.Session) error {
	// How long a web server may take nothing is told here, and by a better name.
	transport.SetDeadAfter(s.Under(), 0)
	c := &linked{s: s, limit: linkLimit}
	svc.link.join(c)
	s.OnEnd(func() { svc.link.leave(c) })
	in := lineReader{}
	for {
		data, err := s.Next()
		if err != nil {
			return err
		}
		err = in.feed(data, func(line []byte, whole bool) error {
			answer := []byte(fmt.Sprintf(`{"error":"a line of more than %d bytes: it was not read"}`, maxLine))
			if whole {
				answer = svc.request(ctx, c, line)
			}
			if answer == nil {
				return nil
			}
			return c.write(append(answer, '\n'))
		})
		if err != nil {
			return err
		}
	}
}

func (svc *LinkService) request(ctx context.Context, c *linked, line []byte) []byte {
	if svc.all.opt.Commander == nil {
		return []byte(`{"error":"this server has no commands for devices"}`)
	}
	return svc.all.opt.Commander.Request(ctx, svc.link.fleet.name, "web server "+c.s.RemoteAddr().String(), line, c.later)
}

func (l *Link) join(c *linked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = true
	if l.came != nil {
		close(l.came)
		l.came = nil
	}
}

func (l *Link) leave(c *linked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// lineReader cuts what comes into lines.
type lineReader struct {
	part    []byte
	passing bool // over the rest of a line that is too long
}

// feed calls each with the lines that are complete, without their ends, but not with empty ones. Of a line that is too long it is
// called once, with whole false.
func (r *lineReader) feed(data []byte, each func(line []byte, whole bool) error) error {
	for len(data) > 0 {
		i := bytes.IndexByte(data, '\n')
		piece := data
		if i >= 0 {
			piece, data = data[:i], data[i+1:]
		} else {
			data = nil
		}
		if !r.passing && len(r.part)+len(piece) > maxLine {
			r.part, r.passing = nil, true
			if err := each(nil, false); err != nil {
				return err
			}
		}
		if r.passing {
			r.passing = i < 0
			continue
		}
		if i < 0 {
			r.part = append(r.part, piece...)
			continue
		}
		line := piece
		if len(r.part) > 0 {
			line = append(r.part, piece...)
		}
		r.part = nil
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
			continue
		}
		if err := each(line, true); err != nil {
			return err
		}
	}
	return nil
}
