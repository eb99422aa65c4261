package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// MaxDatagram is the largest UDP payload over IPv4, in bytes.
	MaxDatagram   = 65507
	udpReadBuffer = 4 << 20
	flowQueue     = 256 << 10 // bytes that wait in one flow for a service that reads
)

// datagrams is a connected UDP socket.
type datagrams struct{ *net.UDPConn }

var datagramBuffers = sync.Pool{New: func() any { return new([MaxDatagram + 1]byte) }}

func (d *datagrams) Receive(sink Sink) error {
	buf := datagramBuffers.Get().(*[MaxDatagram + 1]byte)
	defer datagramBuffers.Put(buf)
	n, err := d.Read(buf[:])
	if err != nil {
		return err
	}
	return sink.Put(buf[:n])
}

func (d *datagrams) TryWrite(p []byte) (int, error) { return d.Write(p) }
func (d *datagrams) CloseWrite() error              { return ErrUnsupported }
func (d *datagrams) Datagrams() bool                { return true }

// Packets is a UDP socket that sorts its datagrams into flows, one for each remote address and port.
type Packets struct {
	conn  *net.UDPConn // where there is no batch
	local net.Addr

	mu    sync.Mutex
	flows map[netip.AddrPort]*Flow

	batch *packetBatch // nil where the system has no calls for many datagrams at once
}

// ListenPackets opens a UDP socket.
func ListenPackets(ctx context.Context, a Address) (*Packets, error) {
	var lc net.ListenConfig
	c, err := lc.ListenPacket(ctx, "udp", a.Host)
	if err != nil {
		return nil, explain(a, err)
	}
	conn := c.(*net.UDPConn)
	conn.SetReadBuffer(udpReadBuffer) // best effort: the system may allow less
	p := &Packets{conn: conn, local: conn.LocalAddr(), flows: map[netip.AddrPort]*Flow{}}
	if p.batch, err = newPacketBatch(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return p, nil
}

// Addr is the address that the socket listens on.
func (p *Packets) Addr() net.Addr { return p.local }

// Close stops listening. Flows can write no more.
func (p *Packets) Close() error {
	if p.batch != nil {
		return p.batch.Close()
	}
	return p.conn.Close()
}

// Serve reads datagrams until the socket is closed, and calls open for the first one of each flow. If open returns
// false, the datagram is dropped and the next one of that remote asks again. After open, each datagram goes to
// f.OnDatagram, in this goroutine, or, where that is nil, to the flow's queue, for Receive.
func (p *Packets) Serve(open func(f *Flow) bool) error {
	if p.batch != nil {
		return p.serveBatches(open)
	}
	buf := make([]byte, MaxDatagram+1)
	for {
		n, remote, err := p.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return net.ErrClosed
			}
			continue // an ICMP error of some peer: not ours
		}
		p.dispatch(remote, buf[:n], open)
	}
}

// dispatch hands a datagram to its flow.
func (p *Packets) dispatch(remote netip.AddrPort, data []byte, open func(f *Flow) bool) {
	f := p.flow(remote)
	if f == nil {
		f = &Flow{packets: p, remote: remote}
		if !open(f) {
			return
		}
		p.mu.Lock()
		if !f.closed.Load() {
			p.flows[remote] = f
		}
		p.mu.Unlock()
	}
	f.receive(data)
}

func (p *Packets) flow(remote netip.AddrPort) *Flow {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flows[remote]
}

// Flow is what one remote address and port and we send each other: a Conn of datagrams.
type Flow struct {
	OnDatagram func(p []byte) // set in open; the bytes are borrowed

	packets *Packets
	remote  netip.AddrPort
	closed  atomic.Bool

	mu       sync.Mutex
	queue    [][]byte
	queued   int
	deadline time.Time
	wake     chan struct{}
	lost     atomic.Uint64
}

func (f *Flow) receive(p []byte) {
	if f.OnDatagram != nil {
		f.OnDatagram(p)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.queued+len(p) > flowQueue || len(f.queue) >= 1024 {
		f.lost.Add(1) // as the kernel would: a datagram that nobody reads is lost
		return
	}
	f.queue = append(f.queue, append([]byte(nil), p...))
	f.queued += len(p)
	f.signal()
}

// signal wakes Receive; f.mu is held.
func (f *Flow) signal() {
	if f.wake != nil {
		close(f.wake)
		f.wake = nil
	}
}

// Lost is how many datagrams were dropped since the service did not read them in time.
func (f *Flow) Lost() uint64 { return f.lost.Load() }

// Receive waits for the flow's next datagram.
func (f *Flow) Receive(sink Sink) error {
	p, err := f.next()
	if err != nil {
		return err
	}
	return sink.Put(p)
}

func (f *Flow) next() ([]byte, error) {
	for {
		f.mu.Lock()
		if len(f.queue) > 0 {
			p := f.queue[0]
			f.queue = f.queue[1:]
			f.queued -= len(p)
			f.mu.Unlock()
			return p, nil
		}
		if f.closed.Load() {
			f.mu.Unlock()
			return nil, net.ErrClosed
		}
		if f.wake == nil {
			f.wake = make(chan struct{})
		}
		wake, deadline := f.wake, f.deadline
		f.mu.Unlock()
		if err := waitUntil(wake, deadline); err != nil {
			return nil, err
		}
	}
}

func waitUntil(wake <-chan struct{}, deadline time.Time) error {
	if deadline.IsZero() {
		<-wake
		return nil
	}
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	select {
	case <-wake:
		return nil
	case <-t.C:
		return os.ErrDeadlineExceeded
	}
}

// Read reads one datagram; what does not fit into p is lost, as with any datagram socket.
func (f *Flow) Read(p []byte) (int, error) {
	d, err := f.next()
	if err != nil {
		return 0, err
	}
	return copy(p, d), nil
}

// Write sends one datagram. Of more than MaxDatagram bytes the error is syscall.EMSGSIZE.
func (f *Flow) Write(p []byte) (int, error) {
	if f.closed.Load() {
		return 0, net.ErrClosed
	}
	if len(p) > MaxDatagram {
		return 0, syscall.EMSGSIZE
	}
	b := f.packets.batch
	if b == nil {
		return f.packets.conn.WriteToUDPAddrPort(p, f.remote)
	}
	if !b.defers(p, f.remote) {
		if err := b.writeTo(p, f.remote); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// TryWrite sends one datagram.
func (f *Flow) TryWrite(p []byte) (int, error) { return f.Write(p) }

// CloseWrite says that UDP has no such thing.
func (f *Flow) CloseWrite() error { return ErrUnsupported }

// Datagrams is true.
func (f *Flow) Datagrams() bool { return true }

// Close forgets the flow; the next datagram of the same remote begins a new one.
func (f *Flow) Close() error {
	if f.closed.Swap(true) {
		return net.ErrClosed
	}
	f.packets.mu.Lock()
	if f.packets.flows[f.remote] == f {
		delete(f.packets.flows, f.remote)
	}
	f.packets.mu.Unlock()
	f.mu.Lock()
	f.signal()
	f.mu.Unlock()
	return nil
}

// LocalAddr is the listening socket's address.
func (f *Flow) LocalAddr() net.Addr { return f.packets.local }

// RemoteAddr is the far end's address.
func (f *Flow) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(f.remote) }

// SetDeadline sets the read deadline: writing a datagram does not wait.
func (f *Flow) SetDeadline(t time.Time) error { return f.SetReadDeadline(t) }

// SetReadDeadline ends a waiting Receive at t with os.ErrDeadlineExceeded.
func (f *Flow) SetReadDeadline(t time.Time) error {
	f.mu.Lock()
	f.deadline = t
	f.signal()
	f.mu.Unlock()
	return nil
}

// SetWriteDeadline does nothing: writing a datagram does not wait.
func (f *Flow) SetWriteDeadline(time.Time) error { return nil }
