package hub

import (
	"sync"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/telnet"
)

// overTelnet follows what the far end says of telnet's to the upstream; Upstream.up guards all of it.
type overTelnet struct {
	session    *Session
	in         telnet.Decoder
	between    sync.Cond // signalled when no command is half said, or the session ends
	clean      []byte
	binary     bool // carriage returns mean nothing to the upstream
	cols, rows int
}

// OverTelnet says that both ends speak telnet. All passes as it is; but what is typed along is typed as telnet has it, between
// two commands, and the size of the far end's terminal is recorded as it tells it (RFC 1073). It comes before CarryUp.
func (u *Upstream) OverTelnet() {
	t := &overTelnet{session: u.session}
	t.between.L = &u.up
	u.telnet, u.passUp = t, nil
	u.session.OnEnd(func() {
		go func() { // ends at once, as the upstream is closed
			u.up.Lock()
			defer u.up.Unlock()
			t.between.Broadcast()
		}()
	})
}

// hear takes what the far end is about to say.
func (t *overTelnet) hear(p []byte) {
	t.clean = t.in.Append(t.clean[:0], p, t.obey)
	if t.in.Between() {
		t.between.Broadcast()
	}
}

func (t *overTelnet) obey(out []byte, c telnet.Command) []byte {
	switch {
	case c.Option == telnet.Binary && (c.Verb == telnet.WILL || c.Verb == telnet.WONT):
		t.binary = c.Verb == telnet.WILL
	case c.Verb == telnet.SB && c.Option == telnet.WindowSize && len(c.Data) == 4:
		size := session.Size{Cols: int(c.Data[0])<<8 | int(c.Data[1]), Rows: int(c.Data[2])<<8 | int(c.Data[3])}
		if size.Valid() && (size.Cols != t.cols || size.Rows != t.rows) {
			t.cols, t.rows = size.Cols, size.Rows
			t.session.Resize(size.Cols, size.Rows)
		}
	}
	return out
}

// await waits until the far end is in the midst of no command.
func (t *overTelnet) await() error {
	for !t.in.Between() {
		if e := t.session.over.Load(); e != nil {
			return e
		}
		t.between.Wait()
	}
	return nil
}

// typed is what a client would send for it.
func (t *overTelnet) typed(p []byte) []byte {
	e := telnet.Encoder{Binary: t.binary}
	out := e.Append(nil, p)
	if n := len(p); n > 0 && p[n-1] == '\r' && !t.binary {
		out = append(out, 0)
	}
	return out
}
