//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/threeend"
)

const sourceRole = "source"

// helloText is what each session shows first.
const helloText = "hello\r\n"

// sourceOrder is one thing for a source to do.
type sourceOrder struct {
	Do    string        // listen, stream, end or count
	Rate  int           // stream: frames a second of each session
	Size  int           // stream: bytes of a payload
	Lasts time.Duration // stream
}

// sourceReport is what became of it.
type sourceReport struct {
	Addr     string // listen
	Sessions int    // that are viewed
	Frames   uint64 // stream: written, whole
	Waited   uint64 // stream: times that a socket took nothing, or a part
	Late     float64
}

// spawnSource starts a source in a process of its own.
func spawnSource(r *benchkit.Run) (c *benchkit.Child, addr string, err error) {
	if c, err = r.Spawn(sourceRole); err != nil {
		return nil, "", err
	}
	var rep sourceReport
	err = c.Call(sourceOrder{Do: "listen"}, &rep)
	return c, rep.Addr, err
}

// sourceEnd is a source: one thread, which holds all its sessions as descriptors. What a session is called says what it
// does: over, kicked and closed end as soon as they have shown something, mute never answers, all else goes on.
type sourceEnd struct {
	poller   *benchkit.Poller
	listener int
	asked    map[int32][]byte // what came of requests that are not whole
	views    map[int32]bool
	buf      [4096]byte
	hello    []byte
}

func serveSource(p *benchkit.Parent) error {
	runtime.LockOSThread()
	poller, err := benchkit.NewPoller()
	if err != nil {
		return err
	}
	e := &sourceEnd{poller: poller, listener: -1, asked: map[int32][]byte{}, views: map[int32]bool{},
		hello: threeend.AppendFrame(threeend.AppendView(nil, 80, 24), threeend.Display, []byte(helloText))}
	orders, failed := make(chan sourceOrder), make(chan error, 1)
	go func() { // ends with the process
		for {
			var o sourceOrder
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
			rep, err := e.do(o)
			if err != nil {
				return err
			}
			if err := p.Reply(rep); err != nil {
				return err
			}
		default:
			if err := e.turn(time.Now().Add(5 * time.Millisecond)); err != nil {
				return err
			}
		}
	}
}

func (e *sourceEnd) do(o sourceOrder) (rep sourceReport, err error) {
	switch o.Do {
	case "listen":
		var at netip.AddrPort
		if e.listener, at, err = benchkit.Listen(); err != nil {
			return rep, err
		}
		rep.Addr = at.String()
		err = e.poller.Watch(e.listener, unix.EPOLLIN, int32(e.listener))
	case "stream":
		rep, err = e.stream(o)
	case "end":
		for fd := range e.views {
			unix.Write(int(fd), []byte{byte(threeend.Over)})
			e.drop(fd)
		}
	}
	rep.Sessions = len(e.views)
	return rep, err
}

// turn does what there is to do until the deadline.
func (e *sourceEnd) turn(deadline time.Time) error {
	events, err := e.poller.Wait(deadline)
	if err != nil {
		return err
	}
	for _, ev := range events {
		switch {
		case int(ev.Fd) == e.listener:
			err = e.accept()
		case e.views[ev.Fd]:
			if n, err := unix.Read(int(ev.Fd), e.buf[:]); n == 0 || err != nil && err != unix.EAGAIN {
				e.drop(ev.Fd)
			}
		default:
			err = e.request(ev.Fd)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *sourceEnd) accept() error {
	for {
		fd, _, err := unix.Accept4(e.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err == unix.EAGAIN {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		e.asked[int32(fd)] = nil
		if err := e.poller.Watch(fd, unix.EPOLLIN, int32(fd)); err != nil {
			return err
		}
	}
}

func (e *sourceEnd) drop(fd int32) {
	delete(e.views, fd)
	delete(e.asked, fd)
	unix.Close(int(fd))
}

// request reads what is asked for, and does it.
func (e *sourceEnd) request(fd int32) error {
	n, err := unix.Read(int(fd), e.buf[:])
	if err == unix.EAGAIN {
		return nil
	}
	if n <= 0 || err != nil {
		e.drop(fd)
		return nil
	}
	e.asked[fd] = append(e.asked[fd], e.buf[:n]...)
	request, more, err := threeend.ParseRequest(e.asked[fd])
	if more || err != nil {
		return err
	}
	kind, _, _ := bytes.Cut([]byte(request.ID), []byte("-"))
	if request.Kick {
		unix.Write(int(fd), []byte{byte(threeend.Kicked)})
		e.drop(fd)
		return nil
	}
	switch string(kind) {
	case "mute":
		return nil
	case "over", "kicked", "closed":
		end := map[string][]byte{"over": {byte(threeend.Over)}, "kicked": {byte(threeend.Kicked)}}[string(kind)]
		unix.Write(int(fd), append(bytes.Clone(e.hello), end...))
		e.drop(fd)
		return nil
	}
	delete(e.asked, fd)
	e.views[fd] = true
	if _, err := unix.Write(int(fd), e.hello); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// stream has all sessions send frames at a rate, evenly spread over time.
func (e *sourceEnd) stream(o sourceOrder) (rep sourceReport, err error) {
	frame := threeend.AppendFrame(nil, threeend.Display, append(bytes.Repeat([]byte("x"), o.Size-2), '\r', '\n'))
	var fds []int32
	for fd := range e.views {
		fds = append(fds, fd)
	}
	if len(fds) == 0 {
		return rep, nil
	}
	rest := map[int32][]byte{} // of frames that a socket took a part of
	began := time.Now()
	step := time.Second / time.Duration(o.Rate*len(fds))
	total := int(o.Lasts / step)
	for done := 0; done < total; {
		due := min(int(time.Since(began)/step)+1, total)
		rep.Late = max(rep.Late, (time.Duration(due-1-done) * step).Seconds())
		for ; done < due; done++ {
			fd := fds[done%len(fds)]
			if !e.views[fd] {
				continue
			}
			whole, err := e.write(fd, frame, rest)
			if err != nil {
				return rep, err
			}
			rep.Frames++
			if !whole {
				rep.Waited++
			}
		}
		if err := e.turn(time.Now().Add(time.Millisecond)); err != nil {
			return rep, err
		}
	}
	for len(rest) > 0 && time.Since(began) < o.Lasts+20*time.Second {
		for fd := range rest {
			if _, err := e.write(fd, nil, rest); err != nil {
				return rep, err
			}
		}
		if err := e.turn(time.Now().Add(time.Millisecond)); err != nil {
			return rep, err
		}
	}
	return rep, nil
}

// write sends what is left over for a socket, then a frame. What it does not take is left over.
func (e *sourceEnd) write(fd int32, frame []byte, rest map[int32][]byte) (whole bool, err error) {
	if left := rest[fd]; len(left) > 0 || len(frame) == 0 {
		frame = append(left, frame...)
	}
	n, err := unix.Write(int(fd), frame)
	if err == unix.EAGAIN {
		n, err = 0, nil
	}
	if err != nil {
		return false, fmt.Errorf("write: %w", err)
	}
	if n == len(frame) {
		delete(rest, fd)
		return true, nil
	}
	rest[fd] = bytes.Clone(frame[n:])
	return false, nil
}
