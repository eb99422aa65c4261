package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/term"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/web"
)

// JoinCmd shows a live session's terminal, and types along in it.
type JoinCmd struct {
	serverFlags
	WatchOnly bool   `help:"Only look on: nothing is typed."`
	ID        string `arg:"" help:"The session's id, the first characters of it, or a source's session as KIND:ID."`
}

// joinKeys is how many pieces of what is typed may wait, and joinPiece how large they are: a paste is several.
const (
	joinKeys  = 64
	joinPiece = 4 << 10 // bytes
	joinMost  = 256     // messages that are taken before they are drawn
)

// Run joins until the session ends, or the person leaves.
func (c *JoinCmd) Run(ctx context.Context, std *stdio) error {
	in, out := asTerminal(std.in), asTerminal(std.out)
	if in == nil || out == nil {
		return badUsage("join needs a terminal; without one, \"switchboard watch --raw\" shows what is sent, and " +
			"POST /api/v1/sessions/ID/type types")
	}
	j := &joining{types: !c.WatchOnly, in: in, out: out}
	if err := j.connect(ctx, c); err != nil {
		return err
	}
	defer j.link.conn.Close()
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return err
	}
	io.WriteString(out, viewEnter)
	err = j.run(ctx)
	io.WriteString(out, viewLeave)
	term.Restore(int(in.Fd()), before)
	switch {
	case j.end != nil:
		std.note("session %s ended: %s", j.id.Short(), printable(j.end.Error()))
		if told, is := answerOf(*j.end); is {
			std.note("%s: %s", printable(j.name), told)
		}
	case err == nil:
		std.note("left %s", j.id.Short())
	}
	return err
}

// joining is one who has joined.
type joining struct {
	types   bool
	in, out *os.File
	link    *runLink
	id      session.ID
	name    string
	view    joinView
	end     *session.End
}

// connect joins, and takes what the terminal shows.
func (j *joining) connect(ctx context.Context, c *JoinCmd) error {
	if isRef(c.ID) && j.types {
		return badUsage("nothing can be typed into a source's session: add --watch-only, which shows its terminal")
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	if isRef(c.ID) {
		sum, err := server.openRef(ctx, c.ID)
		if err != nil {
			return err
		}
		c.ID = string(sum.ID)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, runDial, fmt.Errorf("the server at %s did not answer within %v", server.base, runDial))
	defer cancel()
	conn, err := server.upgrade(ctx, fmt.Sprintf("/api/v1/sessions/%s/join?types=%t", url.PathEscape(c.ID), j.types))
	if err != nil {
		return err
	}
	j.link = &runLink{conn: conn, in: bufio.NewReader(conn), out: bufio.NewWriter(conn)}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	for j.id == "" {
		op, p, err := j.link.read()
		if err == nil && op == ws.OpText {
			err = j.news(p)
		}
		if err != nil {
			conn.Close()
			return fmt.Errorf("the server at %s shows no session: %w", server.base, err)
		}
	}
	return nil
}

// news takes what the server says beside the terminal.
func (j *joining) news(p []byte) error {
	var n web.JoinNews
	if err := json.Unmarshal(p, &n); err != nil {
		return err
	}
	if n.ID != "" && n.Screen != nil {
		size, ok := session.ParseSize(n.Screen.Size)
		if !ok {
			return fmt.Errorf("%q is no size of a terminal", n.Screen.Size)
		}
		j.id, j.name = n.ID, n.Name
		j.view.begin(size, n.Screen.Data)
	}
	if n.Wrong != "" {
		j.status("not typed: " + n.Wrong)
	}
	j.end = n.End
	return nil
}

// status is what the last line says, where there is room for one.
func (j *joining) status(text string) {
	what, leaves := "typing along in ", "Ctrl-] or Enter ~. leaves"
	if !j.types {
		what, leaves = "looking on in ", "Ctrl-C leaves"
	}
	name := j.id.Short()
	if j.name != "" {
		name += " " + j.name
	}
	if text == "" {
		text = leaves
	}
	j.view.status = printable(" " + what + name + " · " + text)
}

// message is one of the server's.
type message struct {
	op  ws.OpCode
	p   []byte
	err error
}

func (j *joining) run(ctx context.Context) error {
	signals, quiet := signalsFor()
	defer quiet()
	over := make(chan struct{})
	defer close(over)
	messages, keys := make(chan message, joinMost), make(chan []byte, joinKeys)
	go j.receive(messages, over) // ends with the connection
	go j.read(keys, over)        // ends with the program, at the latest
	go j.link.ping(over)
	j.view.out = j.out
	j.status("")
	j.resize()
	filter := leaver{fresh: true, looks: !j.types}
	for {
		if err := j.view.draw(); err != nil {
			return err
		}
		select {
		case m := <-messages:
			for n := 0; ; n++ {
				if err := j.take(m); err != nil || j.end != nil {
					return err
				}
				if n == joinMost || len(messages) == 0 {
					break
				}
				m = <-messages
			}
		case p := <-keys:
			typed, leave := filter.take(p)
			if len(typed) > 0 && j.types {
				if err := j.link.write(ws.OpBinary, typed); err != nil {
					return err
				}
			}
			if leave || p == nil {
				return nil
			}
		case s := <-signals:
			if !isResize(s) {
				return nil
			}
			j.resize()
		case <-ctx.Done():
			return nil
		}
	}
}

func (j *joining) resize() {
	if cols, rows, err := term.GetSize(int(j.out.Fd())); err == nil && cols > 0 && rows > 0 {
		j.view.resize(min(cols, 1000), min(rows, 1000))
	}
}

// receive passes on what the server says, and notices when it does not any more.
func (j *joining) receive(messages chan<- message, over <-chan struct{}) {
	silent := time.AfterFunc(runSilence, func() { j.link.conn.Close() })
	defer silent.Stop()
	for {
		op, p, err := j.link.read()
		silent.Reset(runSilence)
		if op == ws.OpPing && err == nil {
			err = j.link.write(ws.OpPong, p)
		}
		select {
		case messages <- message{op, p, err}:
		case <-over:
			return
		}
		if err != nil {
			return
		}
	}
}

// read passes on what is typed; nil is its end.
func (j *joining) read(keys chan<- []byte, over <-chan struct{}) {
	for {
		buf := make([]byte, joinPiece)
		n, err := j.in.Read(buf)
		if err != nil {
			buf, n = nil, 0
		}
		select {
		case keys <- buf[:n:n]:
		case <-over:
			return
		}
		if err != nil {
			return
		}
	}
}

// take does what a message says.
func (j *joining) take(m message) error {
	switch {
	case errors.Is(m.err, io.EOF):
		return errors.New("the connection to the server was lost")
	case m.err != nil:
		return m.err
	case m.op == ws.OpText:
		return j.news(m.p)
	case m.op != ws.OpBinary || len(m.p) < 1:
	case m.p[0] == web.JoinOutput:
		j.view.term.Write(m.p[1:])
	case m.p[0] == web.JoinSize:
		if size, ok := session.ParseSize(string(m.p[1:])); ok {
			j.view.term.Resize(size.Cols, size.Rows)
		}
	}
	return nil
}

// leaver takes the keys that leave out of what is typed: Ctrl-], and ~. at the beginning of a line, where ~~ is one ~; and
// Ctrl-C, where nothing is typed.
type leaver struct {
	looks bool // nothing is typed
	fresh bool // at the beginning of a line
	held  bool // a ~ stands there
}

func (l *leaver) take(p []byte) (typed []byte, leave bool) {
	for _, b := range p {
		switch {
		case b == ']'&31, l.looks && b == 'C'&31, l.held && b == '.':
			return typed, true
		case l.held:
			l.held = false
			if b != '~' {
				typed = append(typed, '~')
			}
		case l.fresh && b == '~':
			l.held = true
			continue
		}
		typed = append(typed, b)
		l.fresh = b == '\r' || b == '\n'
	}
	return typed, false
}
