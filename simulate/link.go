package simulate

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"
)

// send sends what is borrowed, as far as the system takes it now; a goroutine sends the rest. It is called with wmu, and
// gives it back when all is sent.
func (l *link) send(p []byte) {
	n := 0
	if l.raw != nil && !l.device.drips {
		l.out, l.written, l.failed = p, 0, nil
		err := tryWrite(l)
		n, l.out = l.written, nil
		l.device.fleet.tally.sent.Add(uint64(n))
		if err != nil {
			l.broken = true
			l.wmu.Unlock()
			return // who reads finds out as well
		}
		if n == len(p) {
			l.wmu.Unlock()
			return
		}
	}
	l.busy.Store(true)
	rest, drips := slices.Clone(p[n:]), l.device.drips
	l.device.fleet.others.Go(func() { l.transmit(rest, drips) }) // ends within writeLimit of the last byte that the server read
}

// transmit sends, and waits for the server to read. It is called with wmu and busy, and gives them back.
func (l *link) transmit(p []byte, drip bool) {
	const pause = time.Millisecond // between bytes that drip
	var err error
	for len(p) > 0 && err == nil {
		n := min(len(p), 16<<10)
		if drip {
			n = 1
		}
		l.conn.SetWriteDeadline(time.Now().Add(writeLimit))
		n, err = l.conn.Write(p[:n])
		l.device.fleet.tally.sent.Add(uint64(n))
		if p = p[n:]; drip && len(p) > 0 {
			time.Sleep(pause)
		}
	}
	l.conn.SetWriteDeadline(time.Time{})
	l.wmu.Unlock()
	l.busy.Store(false)
	if err != nil {
		l.device.mu.Lock()
		l.broken = true
		l.device.mu.Unlock()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.conn.Close() // a server that does not read
		}
	}
}

// leave ends the connection from the device's side, once what is being sent is sent. Called with the device's mu.
func (l *link) leave(why string) {
	if l.leaving != "" {
		return
	}
	l.leaving = why
	l.lighten()
	l.device.fleet.others.Go(func() { // ends within writeLimit and leaveLimit
		l.wmu.Lock()
		closer, can := l.conn.(interface{ CloseWrite() error })
		var err error
		if can {
			err = closer.CloseWrite()
		}
		l.wmu.Unlock()
		if !can || err != nil {
			l.conn.Close()
			return
		}
		l.conn.SetReadDeadline(time.Now().Add(leaveLimit))
	})
}

// leaveOlder ends a connection that the server has left, though there is a newer one.
func (l *link) leaveOlder() {
	l.device.mu.Lock()
	defer l.device.mu.Unlock()
	if l.device.older == l {
		l.leave("older")
	}
}

// lighten makes it no black hole any more. Called with the device's mu.
func (l *link) lighten() {
	if l.light != nil {
		close(l.light)
		l.light = nil
	}
}

// ended is called once nothing more will be read.
func (l *link) ended(err error) {
	d := l.device
	f, t := d.fleet, &d.fleet.tally
	l.conn.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	torn := l.broken || l.leaving == "" || l.leaving == "vanish"
	if why := l.why(err); l.leaving == "" {
		t.end(why)
	} else if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		torn = true
		t.end("not closed by the server")
	}
	l.gone = true
	t.connected.Add(-1)
	if l.voice.registered {
		if d.live--; d.live == 0 {
			t.online.Add(-1)
		}
	}
	if l.first > 0 {
		d.spans = append(d.spans, span{l.first, l.last, torn})
	}
	switch {
	case d.older == l:
		d.older = nil
	case d.link == l && d.older != nil: // the server has kept the older one
		d.link, d.older = d.older, nil
		d.link.superseded = false
	case d.link == l:
		d.link = nil
	}
	if d.link == nil {
		d.connectAgain(f.config.Away)
	}
}

// why says how the server has ended the connection.
func (l *link) why(err error) string {
	switch {
	case l.superseded:
		return "replaced"
	case errors.Is(err, io.EOF):
		return "closed"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ETIMEDOUT):
		return "timed out"
	case errors.Is(err, net.ErrClosed):
		return "did not read"
	}
	return bareCause(err).Error()
}
