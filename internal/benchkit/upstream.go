//go:build linux

package benchkit

import (
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const upstreamRole = "upstream"

// Upstream is what relays connect to: a listener that swallows everything, and one that sends it back.
type Upstream struct {
	*Child
	Sink, Echo string // HOST:PORT
}

// UpstreamCounts is what an upstream took since it started.
type UpstreamCounts struct {
	Connections int64
	Open        int64
	Bytes       int64
}

// Upstream starts an upstream.
func (r *Run) Upstream() (*Upstream, error) {
	c, err := r.Spawn(upstreamRole)
	if err != nil {
		return nil, err
	}
	u := &Upstream{Child: c}
	return u, c.Receive(u)
}

// Counts asks what the upstream has taken.
func (u *Upstream) Counts() (c UpstreamCounts, err error) { return c, u.Call(struct{}{}, &c) }

func serveUpstream(p *Parent) error {
	sink, err := newEndpoint(false)
	if err != nil {
		return err
	}
	echo, err := newEndpoint(true)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	for _, e := range []*endpoint{sink, echo} {
		go func() { failed <- e.run() }() // ends with the process
	}
	if err := p.Reply(Upstream{Sink: sink.at, Echo: echo.at}); err != nil {
		return err
	}
	return Serve(p, func(struct{}) (UpstreamCounts, error) {
		select {
		case err := <-failed:
			return UpstreamCounts{}, err
		default:
		}
		return UpstreamCounts{sink.connections.Load() + echo.connections.Load(), sink.open.Load() + echo.open.Load(),
			sink.bytes.Load() + echo.bytes.Load()}, nil
	})
}

// endpoint is one listener and all of its connections, in one thread.
type endpoint struct {
	at     string
	fd     int
	echo   bool
	poller *Poller
	buf    [256 << 10]byte

	connections, open, bytes atomic.Int64
}

func newEndpoint(echo bool) (*endpoint, error) {
	fd, at, err := Listen()
	if err != nil {
		return nil, err
	}
	e := &endpoint{at: at.String(), fd: fd, echo: echo}
	if e.poller, err = NewPoller(); err != nil {
		return nil, err
	}
	return e, e.poller.Watch(fd, unix.EPOLLIN, int32(fd))
}

func (e *endpoint) run() error {
	runtime.LockOSThread()
	for {
		n, err := unix.EpollWait(e.poller.fd, e.poller.events[:], -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		for _, event := range e.poller.events[:n] {
			if int(event.Fd) == e.fd {
				e.accept()
				continue
			}
			e.take(int(event.Fd))
		}
	}
}

func (e *endpoint) accept() {
	for range 64 {
		fd, _, err := unix.Accept4(e.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		e.connections.Add(1)
		e.open.Add(1)
		e.poller.Watch(fd, unix.EPOLLIN, int32(fd))
	}
}

// take reads once. What an echo sends back is small enough to fit into any socket's buffer.
func (e *endpoint) take(fd int) {
	n, err := unix.Read(fd, e.buf[:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	if n <= 0 {
		e.open.Add(-1)
		unix.Close(fd)
		return
	}
	e.bytes.Add(int64(n))
	if e.echo {
		unix.Write(fd, e.buf[:n])
	}
}
