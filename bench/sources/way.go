//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/threeend"
)

const (
	wayEvery  = 5 * time.Millisecond // between two frames of the session that is watched
	wayFrames = 600                  // of a round
	wayBeside = 200                  // sessions beside it, with -rate frames a second each
)

// way takes the time from a frame's write at the source to its event at a watcher's socket, less what the same bytes take from
// socket to socket: alone, and beside other sessions.
func way(r *benchkit.Run) error {
	end, err := newPair()
	if err != nil {
		return err
	}
	defer end.ln.Close()
	source, addr, err := spawnSource(r)
	if err != nil {
		return err
	}
	defer source.Close()
	server, err := r.Server(benchkit.ServerOptions{Config: configure(", linger: 1h", map[string]string{"one": end.ln.Addr().String(), "many": addr})})
	if err != nil {
		return err
	}
	if err := end.watch(server); err != nil {
		return err
	}
	defer end.close()
	r.Progress("the way to a watcher: opening %d sessions beside", wayBeside)
	if _, err := openMany(r, server, "many", wayBeside); err != nil {
		return err
	}
	for _, beside := range []int{0, wayBeside} {
		if err := end.take(r, source, beside); err != nil {
			return err
		}
	}
	_, err = server.Stop()
	return err
}

// pair is a source with one session, and who watches it: both in this process, by one clock.
type pair struct {
	ln            net.Listener
	source        net.Conn // of the session
	direct, taken net.Conn // two ends of a connection without anything between
	watcher       net.Conn
	sent          [wayFrames]atomic.Int64 // when, ns since began
	began         time.Time
}

func newPair() (p *pair, err error) {
	p = &pair{began: time.Now()}
	if p.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	return p, nil
}

// accept takes a connection and its request.
func (p *pair) accept() (net.Conn, error) {
	c, err := p.ln.Accept()
	if err != nil {
		return nil, err
	}
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err = c.Read(make([]byte, threeend.MaxRequest))
	c.SetReadDeadline(time.Time{})
	return c, err
}

// watch opens the session, and a stream of its events.
func (p *pair) watch(server *benchkit.Server) error {
	accepted := make(chan error, 1)
	go func() { // ends with the listener
		var err error
		if p.source, err = p.accept(); err == nil {
			_, err = p.source.Write(threeend.AppendView(nil, 80, 24))
		}
		accepted <- err
	}()
	id, err := open(server, "one:x")
	if err == nil {
		err = <-accepted
	}
	if err != nil {
		return err
	}
	addr := strings.TrimPrefix(server.URL, "http://")
	if p.watcher, err = net.Dial("tcp", addr); err != nil {
		return err
	}
	fmt.Fprintf(p.watcher, "GET /api/v1/sessions/%s/events HTTP/1.0\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", id, addr, server.Token)
	if p.direct, err = net.Dial("tcp", p.ln.Addr().String()); err != nil {
		return err
	}
	p.direct.Write([]byte("x"))
	p.taken, err = p.accept()
	return err
}

func (p *pair) close() {
	for _, c := range []net.Conn{p.source, p.direct, p.taken, p.watcher} {
		if c != nil {
			c.Close()
		}
	}
}

// take takes all rounds, with so many sessions streaming beside.
func (p *pair) take(r *benchkit.Run, source *benchkit.Child, beside int) error {
	var p50, p99 benchkit.Series
	var whole benchkit.Series
	for round := range *rounds {
		r.Progress("the way to a watcher beside %d sessions, round %d of %d", beside, round+1, *rounds)
		if beside > 0 {
			if err := source.Send(sourceOrder{Do: "stream", Rate: *rate, Size: *size, Lasts: 2*wayFrames*wayEvery + 2*time.Second}); err != nil {
				return err
			}
		}
		direct, err := p.round(p.direct, p.taken)
		if err != nil {
			return fmt.Errorf("from socket to socket: %w", err)
		}
		through, err := p.round(p.source, p.watcher)
		if err != nil {
			return err
		}
		if beside > 0 {
			if err := source.Receive(nil); err != nil {
				return err
			}
		}
		p50 = append(p50, lessThan(through, direct, 0.5))
		p99 = append(p99, lessThan(through, direct, 0.99))
		whole = append(whole, through.Percentile(0.99).Seconds())
	}
	name := "frame in to a watcher's socket, added"
	if beside > 0 {
		name += fmt.Sprintf(", beside %d sessions of %d frames/s", beside, *rate)
	}
	r.Add(benchkit.Row{Name: name + ", median", Ours: p50, Unit: benchkit.Micros})
	r.Add(benchkit.Row{Name: name + ", p99", Ours: p99, Unit: benchkit.Millis, Target: benchkit.AtMost(2e-3, benchkit.Millis)})
	r.Note("%s: the whole way took %s, p99.", name, benchkit.Millis(whole.Median()))
	return nil
}

// lessThan is what a percentile of one way is more than that of another, in seconds, at least the clock's 0.1 µs.
func lessThan(way, direct *benchkit.Times, at float64) float64 {
	return math.Max((way.Percentile(at) - direct.Percentile(at)).Seconds(), 1e-7)
}

// round sends frames on one socket, and takes the time until each is there on the other.
func (p *pair) round(out io.Writer, in net.Conn) (*benchkit.Times, error) {
	failed := make(chan error, 1)
	go func() { failed <- p.send(out) }() // ends with the round
	times := &benchkit.Times{}
	in.SetReadDeadline(time.Now().Add(wayFrames*wayEvery + 10*time.Second))
	buf, n := make([]byte, 64<<10), 0
	for seen := 0; seen < wayFrames; {
		k, err := in.Read(buf[n:])
		now := time.Since(p.began)
		if err != nil {
			return nil, fmt.Errorf("%d frames of %d came: %w", seen, wayFrames, err)
		}
		n += k
		rest := buf[:n]
		for {
			number, after, ok := mark(rest)
			if !ok {
				break
			}
			if number != seen {
				return nil, fmt.Errorf("frame %d came behind frame %d", number, seen-1)
			}
			times.Add(now - time.Duration(p.sent[number].Load()))
			seen, rest = seen+1, after
		}
		n = copy(buf, rest[max(0, len(rest)-markSize+1):]) // a mark may be cut
	}
	return times, <-failed
}

// send writes the frames of a round, each with a mark in it.
func (p *pair) send(out io.Writer) error {
	tick := time.NewTicker(wayEvery)
	defer tick.Stop()
	var frame []byte
	fill := bytes.Repeat([]byte("x"), max(0, *size-markSize))
	for i := range p.sent {
		<-tick.C
		frame = threeend.AppendFrame(frame[:0], threeend.Display, fmt.Appendf(fill, "#%06d#", i))
		p.sent[i].Store(int64(time.Since(p.began)))
		if _, err := out.Write(frame); err != nil {
			return err
		}
	}
	return nil
}

const markSize = 8

// mark finds the first mark, as in #000042#, in what came, and what stands behind it.
func mark(p []byte) (number int, rest []byte, ok bool) {
	for {
		at := bytes.IndexByte(p, '#')
		if at < 0 || len(p) < at+markSize {
			return 0, p, false
		}
		if n, err := strconv.Atoi(string(p[at+1 : at+markSize-1])); err == nil && p[at+markSize-1] == '#' {
			return n, p[at+markSize:], true
		}
		p = p[at+1:]
	}
}
