package shell

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// visit is one session and its program.
type visit struct {
	svc     *Service
	session *hub.Session
	telnet  *transport.Telnet // nil: bytes alone

	typed   chan []byte   // on their way to the program
	along   chan []byte   // the same, of others
	running chan struct{} // closed when there is a program, or will be none
	heard   chan struct{} // closed when nothing is received any more
	written chan struct{} // closed when nothing is typed any more
	begun   sync.Once
	over    atomic.Bool // the program has ended by itself

	mu         sync.Mutex
	cols, rows int
	program    *transport.PTY
}

const (
	telnetLimit = 10 * time.Second       // for who has to speak telnet
	askLimit    = 300 * time.Millisecond // for who may
	tellLimit   = 2 * time.Second        // to tell size and type of a terminal

	typedPieces = 16   // that may wait until the program reads
	maxSide     = 1000 // columns and rows of a terminal
	defaultTerm = "xterm"
)

func newVisit(svc *Service, s *hub.Session) *visit {
	v := &visit{svc: svc, session: s, cols: cmp.Or(svc.Cols, 80), rows: cmp.Or(svc.Rows, 24), typed: make(chan []byte, typedPieces), along: make(chan []byte),
		running: make(chan struct{}), heard: make(chan struct{}), written: make(chan struct{})}
	v.telnet, _ = s.Under().(*transport.Telnet)
	return v
}

// greet begins to listen, and waits until the far end has told of its terminal, if it speaks telnet.
func (v *visit) greet(ctx context.Context) error {
	t := v.telnet
	var err error
	if t != nil {
		err = t.Begin(v.resized)
	}
	v.session.TakesTyping(v.typeAlong)
	go v.listen(ctx) // both end with the session; see end
	go v.write()
	if t == nil || err != nil {
		return err
	}
	limit := askLimit
	if t.Sure() {
		limit = telnetLimit
	}
	if within(ctx, t.Answered(), limit) {
		within(ctx, t.Settled(), tellLimit)
	} else if t.Sure() && ctx.Err() == nil {
		return &session.End{Cause: session.Refused, Detail: "the client does not speak telnet"}
	}
	return context.Cause(ctx) // nil, unless the session has ended meanwhile
}

func within(ctx context.Context, happened <-chan struct{}, limit time.Duration) bool {
	patience := time.NewTimer(limit)
	defer patience.Stop()
	select {
	case <-happened:
		return true
	case <-ctx.Done():
	case <-patience.C:
	}
	return false
}

// start runs the program, in a terminal as large as is known.
func (v *visit) start() (p *transport.PTY, err error) {
	kind := defaultTerm
	if v.telnet != nil {
		kind = cmp.Or(v.telnet.Kind(), kind)
	}
	env := append(append(Environment(), "TERM="+kind), v.svc.Env...)
	v.mu.Lock()
	defer v.mu.Unlock()
	p, err = transport.StartPTY(transport.PTYOptions{Command: v.svc.Command, Dir: v.svc.Dir, Env: env, Cols: v.cols, Rows: v.rows})
	if err == nil {
		v.program = p
		v.begin()
	}
	return p, err
}

func (v *visit) begin() { v.begun.Do(func() { close(v.running) }) }

// end ends the session, waits until nothing is received or typed any more, and returns why.
func (v *visit) end(err error) error {
	v.session.EndWith(err)
	v.begin()
	<-v.written
	return err
}

// resized is told of the size of the far end's terminal.
func (v *visit) resized(cols, rows int) {
	cols, rows = min(cols, maxSide), min(rows, maxSide)
	v.mu.Lock()
	defer v.mu.Unlock()
	if cols == v.cols && rows == v.rows {
		return
	}
	v.cols, v.rows = cols, rows
	v.session.Resize(cols, rows)
	if v.program != nil {
		v.program.Resize(cols, rows) // an error says that it has ended
	}
}

// listen receives what is typed until the session ends.
func (v *visit) listen(ctx context.Context) {
	err := v.receive(ctx)
	if !v.over.Load() {
		v.session.EndWith(err)
	}
	close(v.typed)
	close(v.heard)
}

func (v *visit) receive(ctx context.Context) error {
	for first := true; ; {
		data, err := v.session.NextSoon()
		if errors.Is(err, hub.ErrQuiet) {
			v.session.Park()
			continue
		}
		if err != nil {
			return err
		}
		if first && isForeign(data) {
			return &session.End{Cause: session.Refused, Detail: "a browser is not let type: this was HTTP or TLS"}
		}
		first = false
		select {
		case v.typed <- bytes.Clone(data):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// write types what was received, as the program reads it.
func (v *visit) write() {
	defer close(v.written)
	<-v.running
	for {
		var data []byte
		more := true
		select {
		case data, more = <-v.typed:
		case data = <-v.along:
		}
		if !more {
			return
		}
		if v.program != nil {
			v.program.Write(data) // an error says that it has ended
		}
	}
}

// typeAlong types what somebody who joined the session does.
func (v *visit) typeAlong(p []byte) error {
	select {
	case v.along <- p:
		return nil
	case <-v.written:
		return errors.New("the session ends")
	}
}

// isForeign reports whether what a client says first is HTTP, or the beginning of TLS. A web page can have its reader's
// browser say that to any address, this machine's own included, with lines of its own choice behind it.
func isForeign(data []byte) bool {
	if len(data) > 1 && data[0] == 0x16 && data[1] == 3 {
		return true
	}
	verb, rest, found := strings.Cut(string(data[:min(len(data), 16)]), " ")
	switch verb {
	case "GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "CONNECT", "TRACE", "PRI":
		return found && rest != ""
	}
	return false
}
