//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const watchersRole = "watchers"

// watchOrder is one thing for the watchers to do.
type watchOrder struct {
	Do    string // attach, count or detach
	Addr  string // HOST:PORT of REST
	Path  string
	Token string
	Count int // attach: watchers that read
	Stuck int // attach: watchers that stop reading once they have the answer's head
}

// watchCounts is what the watchers that read have seen since they were attached.
type watchCounts struct {
	Watching int
	Lines    uint64
	Last     uint64 // the least of the watchers' last event numbers
	Jumps    uint64 // events that were not the next one
	Closed   int
	Error    string
}

// watchers hold the streams; one goroutine reads them all.
type watchers struct {
	poller *benchkit.Poller
	all    []watcher
	buf    [256 << 10]byte
	counts watchCounts
}

type watcher struct {
	fd     int
	stuck  bool
	headed bool   // past the head of the answer
	line   []byte // the beginning of the line that is not whole yet
	last   uint64
}

func serveWatchers(p *benchkit.Parent) error {
	runtime.LockOSThread()
	w := &watchers{}
	orders, failed := make(chan watchOrder), make(chan error, 1)
	go func() { // ends with the process
		for {
			var o watchOrder
			if err := p.Next(&o); err != nil {
				failed <- err
				return
			}
			orders <- o
		}
	}()
	for {
		var tick <-chan time.Time
		if len(w.all) > 0 {
			closed := make(chan time.Time)
			close(closed)
			tick = closed
		}
		select {
		case <-failed:
			return nil
		case o := <-orders:
			if err := w.do(o); err != nil {
				return err
			}
			if err := p.Reply(w.seen()); err != nil {
				return err
			}
		case <-tick:
			if err := w.read(20 * time.Millisecond); err != nil {
				return err
			}
		}
	}
}

func (w *watchers) do(o watchOrder) (err error) {
	switch o.Do {
	case "attach":
		return w.attach(o)
	case "detach":
		for _, one := range w.all {
			unix.Close(one.fd)
		}
		w.all, w.counts = nil, watchCounts{}
		w.poller.Close()
	}
	return nil
}

func (w *watchers) seen() watchCounts {
	c := w.counts
	c.Watching = len(w.all) - c.Closed
	for i, one := range w.all {
		if !one.stuck && (i == 0 || one.last < c.Last) {
			c.Last = one.last
		}
	}
	return c
}

// attach asks for all streams; the answers' heads have come when it returns.
func (w *watchers) attach(o watchOrder) (err error) {
	to, err := netip.ParseAddrPort(o.Addr)
	if err != nil {
		return err
	}
	if w.poller, err = benchkit.NewPoller(); err != nil {
		return err
	}
	request := fmt.Sprintf("GET %s HTTP/1.0\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", o.Path, o.Addr, o.Token)
	for i := range o.Count + o.Stuck {
		fd, err := benchkit.ConnectNow([4]byte{}, to, 5*time.Second)
		if err != nil {
			return err
		}
		w.all = append(w.all, watcher{fd: fd, stuck: i >= o.Count})
		if i >= o.Count {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
		}
		if _, err := unix.Write(fd, []byte(request)); err != nil {
			return err
		}
		if err := w.poller.Watch(fd, unix.EPOLLIN, int32(i)); err != nil {
			return err
		}
	}
	for end := time.Now().Add(10 * time.Second); w.unheaded() > 0; {
		if time.Now().After(end) {
			return fmt.Errorf("%d watchers got no answer within 10 s", w.unheaded())
		}
		if err := w.read(20 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (w *watchers) unheaded() (n int) {
	for _, one := range w.all {
		if !one.headed {
			n++
		}
	}
	return n
}

// read reads what is there, at most for the given time.
func (w *watchers) read(limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; {
		events, err := w.poller.Wait(deadline)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, e := range events {
			one := &w.all[e.Fd]
			n, err := unix.Read(one.fd, w.buf[:])
			if err == unix.EAGAIN || err == unix.EINTR {
				continue
			}
			if err != nil || n == 0 {
				w.poller.Forget(one.fd)
				w.counts.Closed++
				one.headed = true
				continue
			}
			if err := w.take(one, w.buf[:n]); err != nil {
				return err
			}
			if one.stuck && one.headed {
				w.poller.Forget(one.fd)
			}
		}
	}
}

// keep is how much of a line is kept until it is whole: the event's number stands at its beginning.
const keep = 48

// take counts the lines in p and looks at each one's number.
func (w *watchers) take(one *watcher, p []byte) error {
	if !one.headed {
		one.line = append(one.line, p...)
		end := bytes.Index(one.line, []byte("\r\n\r\n"))
		if end < 0 {
			return nil
		}
		if !bytes.HasPrefix(one.line, []byte("HTTP/1.0 200")) && !bytes.HasPrefix(one.line, []byte("HTTP/1.1 200")) {
			return fmt.Errorf("a watcher was answered %.200q", one.line)
		}
		p, one.headed, one.line = append([]byte(nil), one.line[end+4:]...), true, one.line[:0]
	}
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		part := p
		if end >= 0 {
			part = p[:end]
		}
		if room := keep - len(one.line); room > 0 {
			one.line = append(one.line, part[:min(room, len(part))]...)
		}
		if end < 0 {
			return nil
		}
		w.count(one)
		one.line = one.line[:0]
		p = p[end+1:]
	}
	return nil
}

func (w *watchers) count(one *watcher) {
	w.counts.Lines++
	number := eventNumber(one.line)
	if one.last != 0 && number != one.last+1 {
		w.counts.Jumps++
		if w.counts.Error == "" {
			w.counts.Error = fmt.Sprintf("after event %d came %q", one.last, one.line)
		}
	}
	one.last = number
}

// eventNumber is N of {"number":N,… , 0 for anything else.
func eventNumber(line []byte) uint64 {
	const head = `{"number":`
	if !bytes.HasPrefix(line, []byte(head)) {
		return 0
	}
	line = line[len(head):]
	if end := bytes.IndexByte(line, ','); end >= 0 {
		n, _ := strconv.ParseUint(string(line[:end]), 10, 64)
		return n
	}
	return 0
}
