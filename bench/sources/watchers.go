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
	Do    string // attach or count
	Addr  string // HOST:PORT of REST
	Token string
	IDs   []string // attach: of the sessions, each of which gets a watcher
	Stuck bool     // attach: none of them reads
}

// watchReport is what the watchers have seen.
type watchReport struct {
	Frames uint64 // events that were sent
	Jumps  uint64 // events that were not the next one
	Closed int
}

type watcher struct {
	fd     int
	headed bool
	line   []byte // the beginning of the line that is not whole yet
	last   uint64
}

// watchers hold the streams; one thread reads them all.
type watchers struct {
	poller *benchkit.Poller
	all    []watcher
	buf    [256 << 10]byte
	seen   watchReport
}

func serveWatchers(p *benchkit.Parent) error {
	runtime.LockOSThread()
	poller, err := benchkit.NewPoller()
	if err != nil {
		return err
	}
	w := &watchers{poller: poller}
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
		select {
		case <-failed:
			return nil
		case o := <-orders:
			if o.Do == "attach" {
				if err := w.attach(o); err != nil {
					return err
				}
			}
			if err := p.Reply(w.seen); err != nil {
				return err
			}
		default:
			if err := w.read(time.Now().Add(10 * time.Millisecond)); err != nil {
				return err
			}
		}
	}
}

// attach asks for the streams.
func (w *watchers) attach(o watchOrder) error {
	to, err := netip.ParseAddrPort(o.Addr)
	if err != nil {
		return err
	}
	for _, id := range o.IDs {
		fd, err := benchkit.ConnectNow([4]byte{}, to, 5*time.Second)
		if err != nil {
			return err
		}
		if o.Stuck {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
		}
		w.all = append(w.all, watcher{fd: fd})
		request := fmt.Sprintf("GET /api/v1/sessions/%s/events HTTP/1.0\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", id, o.Addr, o.Token)
		if _, err := unix.Write(fd, []byte(request)); err != nil {
			return err
		}
		if o.Stuck {
			continue
		}
		if err := w.poller.Watch(fd, unix.EPOLLIN, int32(len(w.all)-1)); err != nil {
			return err
		}
	}
	for end := time.Now().Add(20 * time.Second); !o.Stuck && w.unheaded() > 0; {
		if time.Now().After(end) {
			return fmt.Errorf("%d watchers got no answer within 20 s", w.unheaded())
		}
		if err := w.read(time.Now().Add(20 * time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

func (w *watchers) unheaded() (n int) {
	for i := range w.all {
		if !w.all[i].headed {
			n++
		}
	}
	return n
}

// read reads what is there once.
func (w *watchers) read(deadline time.Time) error {
	events, err := w.poller.Wait(deadline)
	if err != nil {
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
			w.seen.Closed++
			one.headed = true
			continue
		}
		if err := w.take(one, w.buf[:n]); err != nil {
			return err
		}
	}
	return nil
}

// lineHead is how much of a line is kept until it is whole: number, time and kind stand at its beginning.
const lineHead = 96

func (w *watchers) take(one *watcher, p []byte) error {
	if !one.headed {
		one.line = append(one.line, p...)
		end := bytes.Index(one.line, []byte("\r\n\r\n"))
		if end < 0 {
			return nil
		}
		if !bytes.HasPrefix(one.line, []byte("HTTP/1.0 200")) {
			return fmt.Errorf("a watcher was answered %.200q", one.line)
		}
		p, one.headed, one.line = bytes.Clone(one.line[end+4:]), true, one.line[:0]
	}
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		part := p
		if end >= 0 {
			part = p[:end]
		}
		one.line = append(one.line, part[:min(lineHead-len(one.line), len(part))]...)
		if end < 0 {
			return nil
		}
		w.count(one)
		one.line, p = one.line[:0], p[end+1:]
	}
	return nil
}

func (w *watchers) count(one *watcher) {
	const head = `{"number":`
	line, ok := bytes.CutPrefix(one.line, []byte(head))
	if !ok {
		return
	}
	digits, line, _ := bytes.Cut(line, []byte(","))
	number, _ := strconv.ParseUint(string(digits), 10, 64)
	if one.last != 0 && number != one.last+1 {
		w.seen.Jumps++
	}
	one.last = number
	if bytes.Contains(line, []byte(`"kind":"sent"`)) {
		w.seen.Frames++
	}
}
