package simulate

import (
	"math/rand/v2"
	"net"
	"time"
)

// mischief has devices do what their shares say, at moments that are left to chance, until the fleet ends.
func (f *Fleet) mischief() {
	c := f.config
	acts := []struct {
		share float64
		do    func(d *device) bool
	}{{c.Reconnects, (*device).reconnect}, {c.Duplicates, (*device).duplicate}, {c.Floods, (*device).flood},
		{c.BlackHoles, (*device).darken}, {c.Vanish, (*device).vanish}}
	sum := 0.0
	for _, a := range acts {
		sum += a.share
	}
	if sum == 0 {
		return
	}
	chance := rand.New(rand.NewPCG(c.Seed, 2))
	mean := time.Duration(float64(time.Minute) / (sum * float64(len(f.devices))))
	next := time.Now()
	for {
		next = next.Add(time.Duration(chance.ExpFloat64() * float64(mean)))
		if !f.sleep(max(0, time.Until(next))) {
			return
		}
		if f.paused.Load() {
			next = time.Now()
			continue
		}
		pick := chance.Float64() * sum
		for _, a := range acts {
			if pick -= a.share; pick >= 0 {
				continue
			}
			for range 10 { // the one that was hit may be away
				if a.do(f.devices[chance.IntN(len(f.devices))]) {
					break
				}
			}
			break
		}
	}
}

// ready returns the device's connection if it has nothing to do but speak. Called with mu.
func (d *device) ready() *link {
	l := d.speaker()
	if l == nil || d.older != nil || l.busy.Load() {
		return nil
	}
	return l
}

// reconnect ends the connection as it should, and makes another.
func (d *device) reconnect() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.ready()
	if l == nil {
		return false
	}
	d.fleet.tally.reconnects.Add(1)
	l.leave("reconnect")
	return true
}

// duplicate makes a second connection.
func (d *device) duplicate() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ready() == nil {
		return false
	}
	d.fleet.tally.duplicates.Add(1)
	d.connectAgain(0)
	return true
}

// flood sends many messages at once.
func (d *device) flood() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.ready()
	if l == nil || !l.wmu.TryLock() {
		return false
	}
	if d.fleet.config.Network == "udp" { // each is a datagram
		for range d.fleet.config.FloodSize {
			d.fleet.tally.messages.Add(1)
			l.send(d.compose(nil, l))
			if !l.wmu.TryLock() {
				break
			}
		}
		l.wmu.Unlock()
		d.fleet.tally.floods.Add(1)
		return true
	}
	var all []byte
	for range d.fleet.config.FloodSize {
		all = d.compose(all, l)
	}
	d.fleet.tally.floods.Add(1)
	d.fleet.tally.messages.Add(uint64(d.fleet.config.FloodSize))
	l.send(all)
	return true
}

// darken makes the connection a black hole for a while.
func (d *device) darken() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.ready()
	if l == nil {
		return false
	}
	d.fleet.tally.blackHoles.Add(1)
	l.light = make(chan struct{})
	time.AfterFunc(d.fleet.config.Black, func() { d.comeBack(l) })
	return true
}

// comeBack connects again, and leaves the black hole to the server.
func (d *device) comeBack(l *link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link != l || l.light == nil {
		return
	}
	if d.fleet.paused.Load() { // quiet is quiet
		time.AfterFunc(200*time.Millisecond, func() { d.comeBack(l) })
		return
	}
	d.connectAgain(0)
}

// vanish takes the connection away without telling the server.
func (d *device) vanish() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.ready()
	if l == nil {
		return false
	}
	conn := l.conn
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn()
	}
	l.leaving = "vanish"
	if !muteClose(conn) {
		l.leaving = ""
		return false
	}
	d.fleet.tally.vanished.Add(1)
	return true
}
