//go:build linux

package benchkit

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const linesRole = "lines"

var errClosed = errors.New("the far end closed the connection")

// Lines is a few busy connections in a process of their own.
type Lines struct{ *Child }

// LinesOrder is one thing for lines to do.
type LinesOrder struct {
	Do     string // open, rounds, paced, bulk or close
	Addr   string
	Count  int           // open: connections
	Size   int           // rounds, paced: bytes of a message
	Lasts  time.Duration // rounds, paced
	Every  time.Duration // paced: between two messages of one connection
	Echoed bool          // paced: what is sent comes back, and the time until then is taken
	Bytes  int64         // bulk: in all, spread evenly over the connections
}

// LinesReport is what became of it.
type LinesReport struct {
	Count   uint64 // round trips, or messages
	Bytes   int64  // sent
	Seconds float64
	P50     float64 // of a round trip, seconds
	P99     float64
	Max     float64
}

// Lines starts a process for busy connections.
func (r *Run) Lines() (*Lines, error) {
	c, err := r.Spawn(linesRole)
	return &Lines{c}, err
}

// Order has the lines do something and waits until it is done.
func (l *Lines) Order(o LinesOrder) (rep LinesReport, err error) {
	return rep, l.Call(o, &rep)
}

func serveLines(p *Parent) error {
	runtime.LockOSThread()
	quietCollector()
	poller, err := NewPoller()
	if err != nil {
		return err
	}
	l := &lines{poller: poller, payload: Random(4 << 20)}
	return Serve(p, l.do)
}

// Random is bytes that no compression makes smaller, the same every time.
func Random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// lines is the load generator's side.
type lines struct {
	poller  *Poller
	lines   []busyLine
	payload []byte
	buf     [256 << 10]byte
	times   Times
}

type busyLine struct {
	fd      int
	sent    time.Time
	missing int   // of the reply
	left    int64 // of the bulk
	at      int   // in the payload
}

func (l *lines) do(o LinesOrder) (LinesReport, error) {
	l.times = Times{}
	start := time.Now()
	var rep LinesReport
	var err error
	switch o.Do {
	case "open":
		err = l.open(o)
	case "rounds":
		err = l.rounds(o, start.Add(o.Lasts))
		rep.Count = l.times.Count()
	case "paced":
		rep.Count, err = l.paced(o, start.Add(o.Lasts))
		rep.Bytes = int64(rep.Count) * int64(o.Size)
	case "bulk":
		err = l.bulk(o)
		rep.Bytes = o.Bytes / int64(len(l.lines)) * int64(len(l.lines))
	case "close":
		for _, line := range l.lines {
			unix.Close(line.fd)
		}
		l.lines = nil
	default:
		err = errors.New("lines cannot do " + o.Do)
	}
	rep.Seconds = time.Since(start).Seconds()
	rep.P50, rep.P99 = l.times.Percentile(0.5).Seconds(), l.times.Percentile(0.99).Seconds()
	rep.Max = l.times.Max().Seconds()
	return rep, err
}

func (l *lines) open(o LinesOrder) error {
	to, err := netip.ParseAddrPort(o.Addr)
	if err != nil {
		return err
	}
	for range o.Count {
		fd, err := ConnectNow([4]byte{}, to, 5*time.Second)
		if err != nil {
			return err
		}
		l.lines = append(l.lines, busyLine{fd: fd})
		if err := l.poller.Watch(fd, unix.EPOLLIN, int32(len(l.lines)-1)); err != nil {
			return err
		}
	}
	return nil
}

// rounds sends a message on each connection, and the next one when the reply has come back whole.
func (l *lines) rounds(o LinesOrder, deadline time.Time) error {
	message := l.payload[:o.Size]
	for i := range l.lines {
		if err := l.say(&l.lines[i], message); err != nil {
			return err
		}
	}
	flying := len(l.lines)
	for flying > 0 {
		events, err := l.poller.Wait(deadline.Add(5 * time.Second))
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return errors.New("a reply did not come within 5 s")
		}
		for _, e := range events {
			line := &l.lines[e.Fd]
			whole, err := l.hear(line)
			if err != nil {
				return err
			}
			if !whole {
				continue
			}
			now := time.Now()
			l.times.Add(now.Sub(line.sent))
			if now.After(deadline) {
				flying--
				continue
			}
			if err := l.say(line, message); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *lines) say(line *busyLine, message []byte) error {
	line.sent, line.missing = time.Now(), len(message)
	n, err := unix.Write(line.fd, message)
	if err == nil && n < len(message) {
		err = errors.New("short write")
	}
	return err
}

// hear reads a part of the reply, and tells whether it is whole now.
func (l *lines) hear(line *busyLine) (whole bool, err error) {
	n, err := unix.Read(line.fd, l.buf[:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return false, nil
	}
	if err == nil && n == 0 {
		err = errClosed
	}
	line.missing -= n
	return line.missing <= 0, err
}

// paced sends a message on each connection at fixed times, whatever comes back, and never makes up for lost time.
func (l *lines) paced(o LinesOrder, deadline time.Time) (sent uint64, err error) {
	message := l.payload[:o.Size]
	for next := time.Now(); next.Before(deadline); next = next.Add(o.Every) {
		for i := range l.lines {
			line := &l.lines[i]
			if o.Echoed && line.missing > 0 {
				continue // still waiting: this one is late, and the time taken will show it
			}
			if err := l.say(line, message); err != nil {
				return sent, err
			}
			sent++
			if !o.Echoed {
				line.missing = 0
			}
		}
		if err := l.listen(next.Add(o.Every)); err != nil {
			return sent, err
		}
	}
	for end := time.Now().Add(5 * time.Second); o.Echoed && l.waiting(); {
		if time.Now().After(end) {
			return sent, errors.New("a reply did not come within 5 s")
		}
		if err := l.listen(time.Now().Add(5 * time.Millisecond)); err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// waiting reports whether a reply is missing.
func (l *lines) waiting() bool {
	return slices.ContainsFunc(l.lines, func(line busyLine) bool { return line.missing > 0 })
}

// listen takes what comes until the given time.
func (l *lines) listen(until time.Time) error {
	for {
		events, err := l.poller.Wait(until)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, e := range events {
			line := &l.lines[e.Fd]
			was := line.missing
			whole, err := l.hear(line)
			if err != nil {
				return err
			}
			if whole && was > 0 {
				l.times.Add(time.Since(line.sent))
			}
		}
	}
}

// bulkWrite is how much one write takes, in bytes.
const bulkWrite = 256 << 10

// bulk sends as fast as the other side takes it, then half-closes, and is done when every connection is closed from
// the other side: all has arrived.
func (l *lines) bulk(o LinesOrder) error {
	for i := range l.lines {
		line := &l.lines[i]
		line.left, line.at = o.Bytes/int64(len(l.lines)), i*4096%len(l.payload)
		if err := l.poller.Change(line.fd, unix.EPOLLOUT, int32(i)); err != nil {
			return err
		}
	}
	for open := len(l.lines); open > 0; {
		events, err := l.poller.Wait(time.Now().Add(30 * time.Second))
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return errors.New("nothing moved for 30 s")
		}
		for _, e := range events {
			line := &l.lines[e.Fd]
			if line.left > 0 {
				err = l.pour(line, e.Fd)
			} else {
				_, err = l.hear(line)
			}
			if errors.Is(err, errClosed) && line.left == 0 {
				open--
				err = l.poller.Forget(line.fd)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *lines) pour(line *busyLine, tag int32) error {
	n := min(line.left, bulkWrite, int64(len(l.payload)-line.at))
	written, err := unix.Write(line.fd, l.payload[line.at:line.at+int(n)])
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	if err != nil {
		return err
	}
	line.left -= int64(written)
	line.at = (line.at + written) % len(l.payload)
	if line.left > 0 {
		return nil
	}
	if err := unix.Shutdown(line.fd, unix.SHUT_WR); err != nil {
		return err
	}
	return l.poller.Change(line.fd, unix.EPOLLIN, tag)
}
