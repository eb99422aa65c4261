package simulate

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// device is one of a fleet.
type device struct {
	fleet *Fleet
	name  string
	drips bool

	mu     sync.Mutex
	link   *link       // its newest connection
	older  *link       // the one before, which the server has not ended yet
	wanted bool        // a connection is to be made, or being made
	wait   *time.Timer // until it connects again
	live   int         // registered connections
	number uint64      // of its newest message
	spans  []span      // what it said on connections that are over
}

// span is numbers of messages that were said on one connection. Of a torn one nobody knows how many of the last came.
type span struct {
	first, last uint64
	torn        bool
}

// link is one connection of a device.
type link struct {
	device *device
	conn   net.Conn
	raw    syscall.RawConn // nil: writing has to wait
	buf    [512]byte       // owned by run

	wmu     sync.Mutex // who writes
	out     []byte     // guarded by wmu, as are written and failed: of attempt
	written int
	failed  error
	busy    atomic.Bool // somebody writes who may have to wait

	// guarded by the device's mu
	voice       voice
	rest        []byte        // what the server said so far of something
	first, last uint64        // messages
	leaving     string        // why the device ends it
	superseded  bool          // there is a newer one
	broken      bool          // something was not written whole
	gone        bool          // it has ended
	light       chan struct{} // closed when a black hole is none any more; nil: it is none
}

// say says what is to be said in one turn, if the device can.
func (d *device) say(space []byte) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.fleet
	l := d.speaker()
	if l == nil || !l.wmu.TryLock() {
		f.tally.behind.Add(uint64(f.config.Together))
		return space
	}
	for range f.config.Together {
		space = d.compose(space, l)
	}
	f.tally.messages.Add(uint64(f.config.Together))
	l.send(space)
	return space
}

// beat sends a heartbeat.
func (d *device) beat(space []byte) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.speaker()
	if l == nil || !l.wmu.TryLock() {
		return space
	}
	space = d.fleet.kind.heartbeat(space, &l.voice)
	d.fleet.tally.heartbeats.Add(1)
	l.send(space)
	return space
}

// speaker is the connection on which the device can say something now. Called with mu.
func (d *device) speaker() *link {
	l := d.link
	if l == nil || d.wanted || !l.voice.registered || l.leaving != "" || l.light != nil || d.fleet.paused.Load() {
		return nil
	}
	return l
}

// compose appends the device's next message. Called with mu.
func (d *device) compose(b []byte, l *link) []byte {
	d.number++
	if l.first == 0 {
		l.first = d.number
	}
	l.last = d.number
	return d.fleet.kind.message(b, &l.voice, d.number, time.Now(), d.fleet.config.Size)
}

// connectAgain has the device connect after a while. Called with mu.
func (d *device) connectAgain(after time.Duration) {
	if d.wanted || d.fleet.over.Load() {
		return
	}
	d.wanted = true
	d.timer(time.AfterFunc(after, func() { d.fleet.dials <- d })) // there is room for all devices twice
}

func (d *device) timer(t *time.Timer) {
	if d.wait != nil {
		d.wait.Stop()
	}
	d.wait = t
}

// rests reports whether the device has one connection and nothing to do.
func (d *device) rests() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.link
	return l != nil && d.older == nil && !d.wanted && l.voice.registered && l.leaving == "" && !l.busy.Load()
}

// took is called with a connection that was made.
func (d *device) took(conn net.Conn) {
	f := d.fleet
	l := &link{device: d, conn: conn}
	if _, secured := conn.(interface{ NetConn() net.Conn }); !secured {
		if c, ok := conn.(syscall.Conn); ok {
			l.raw, _ = c.SyscallConn()
		}
	}
	l.voice = voice{name: d.name, answers: f.config.Commands, reply: f.config.Reply}
	d.mu.Lock()
	if f.over.Load() {
		d.mu.Unlock()
		conn.Close()
		return
	}
	d.wanted = false
	if d.older = d.link; d.older != nil {
		d.older.superseded = true
		d.older.lighten()
		time.AfterFunc(olderLimit, d.older.leaveOlder)
	}
	d.link = l
	f.tally.connects.Add(1)
	f.tally.connected.Add(1)
	hello := f.kind.register(nil, &l.voice)
	l.busy.Store(true)
	l.wmu.Lock()
	f.readers.Go(func() { l.greet(hello) }) // ends with the connection
	d.mu.Unlock()
}

// greet registers, and reads what comes meanwhile.
func (l *link) greet(hello []byte) {
	d := l.device
	d.fleet.readers.Go(l.run)
	if tell := d.fleet.config.Registering; tell != nil {
		tell(d.name)
	}
	l.transmit(hello, d.drips)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !l.voice.awaits && !l.voice.registered && !l.gone {
		l.register()
	}
}

// register is called with mu.
func (l *link) register() {
	l.voice.awaits, l.voice.registered = false, true
	t := &l.device.fleet.tally
	t.registered.Add(1)
	if l.device.live++; l.device.live == 1 {
		t.online.Add(1)
	}
}

// run reads until the connection ends.
func (l *link) run() {
	for {
		n, err := l.conn.Read(l.buf[:])
		if n > 0 {
			l.hear(l.buf[:n])
		}
		if err != nil {
			l.ended(err)
			return
		}
	}
}

// hear takes what the server said.
func (l *link) hear(p []byte) {
	const most = 64 << 10 // of one thing that a server says
	d, t := l.device, &l.device.fleet.tally
	t.received.Add(uint64(len(p)))
	d.mu.Lock()
	if dark := l.light; dark != nil {
		d.mu.Unlock()
		<-dark // the device does not read; it comes back, or the fleet ends
		d.mu.Lock()
	}
	if len(l.rest) > 0 {
		p = append(l.rest, p...)
	}
	var answer []byte
	for len(p) > 0 {
		var used int
		var h heard
		used, h, answer = d.fleet.kind.take(answer, &l.voice, p)
		if used == 0 {
			break
		}
		p = p[used:]
		switch h {
		case accepted:
			t.replies.Add(1)
			if !l.voice.registered {
				l.register()
			}
		case halfWay, reply:
			t.replies.Add(1)
		case rejected:
			t.replies.Add(1)
			t.rejected.Add(1)
			l.leave("rejected")
		case aCommand:
			t.commands.Add(1)
			if l.voice.answers {
				t.answers.Add(1)
			}
		}
	}
	l.rest = nil
	if len(p) > 0 && len(p) < most {
		l.rest = append([]byte(nil), p...)
	}
	d.mu.Unlock()
	if len(answer) > 0 {
		l.busy.Store(true)
		l.wmu.Lock()
		l.transmit(answer, false)
	}
}
