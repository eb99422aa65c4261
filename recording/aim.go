package recording

// Aim makes the cursor read a log from an event on, for the program's own needs, as Reader's: whoever reads many recordings in
// turn has one cursor for all of them, whose memory is used again. The zero Cursor can be aimed; one of Cursor cannot.
func (c *Cursor) Aim(l *Log, from uint64) {
	from = max(from, 1)
	if c.log == l && c.next == from && !c.closed {
		return
	}
	c.Rest()
	c.log, c.mute, c.next, c.closed = l, true, from, false
}

// AimAt is Aim at an ended session's recording, which is the cursor's from then on: it closes it.
func (c *Cursor) AimAt(r *Recording, from uint64) {
	if r.log != nil {
		c.Aim(r.log, from)
		return
	}
	c.Rest()
	c.rec, c.own, c.mute, c.next, c.closed = r, true, true, max(from, 1), false
}

// restKeeps is how much memory for reading a cursor at rest may keep, bytes.
const restKeeps = 1 << 20

// Rest lets go of what the cursor read, and of its file. It can be aimed again.
func (c *Cursor) Rest() {
	c.drop()
	if c.own {
		c.rec.Close()
	}
	c.log, c.rec, c.own, c.closed = nil, nil, false, true
	clear(c.events) // their data are parts of chunks
	if cap(c.buf) > restKeeps {
		c.buf = nil
	}
	if cap(c.raw) > restKeeps {
		c.raw = nil
	}
}
