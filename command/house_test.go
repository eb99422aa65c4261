package command_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/session"
)

// patience is how long a test waits for what must come: the machine may be busy.
const patience = time.Minute

// house is a queue on a file, and an end of TCP that devices connect to.
type house struct {
	t    *testing.T
	path string
	q    *command.Queue
}

func open(t *testing.T, change ...func(*command.Options)) *house {
	h := &house{t: t, path: filepath.Join(t.TempDir(), "commands.db")}
	h.open(change...)
	t.Cleanup(func() { h.q.Close() })
	return h
}

func (h *house) open(change ...func(*command.Options)) {
	h.t.Helper()
	opt := command.Options{Path: h.path}
	for _, c := range change {
		c(&opt)
	}
	var err error
	if h.q, err = command.Open(opt); err != nil {
		h.t.Fatal(err)
	}
}

// reopen closes the queue, and opens the file again.
func (h *house) reopen(change ...func(*command.Options)) {
	h.t.Helper()
	if err := h.q.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.open(change...)
}

// peer is Switchboard's end of a device's connection.
type peer struct {
	name string
	id   session.ID
	conn net.Conn
}

func (p *peer) Fleet() string          { return "fleet" }
func (p *peer) Name() string           { return p.name }
func (p *peer) Session() session.ID    { return p.id }
func (p *peer) Send(data []byte) error { _, err := p.conn.Write(data); return err }

// Sequence is the second byte of what begins with #.
func (p *peer) Sequence(data []byte) []byte {
	if len(data) > 1 && data[0] == '#' {
		return data[1:2]
	}
	return nil
}

// handset is the device's end of its connection: lines are its messages.
type handset struct {
	t    testing.TB
	peer *peer
	conn net.Conn
	in   *bufio.Reader
	gone sync.WaitGroup
}

// connect has a device connect.
func (h *house) connect(name string) *handset {
	h.t.Helper()
	return connectTo(h.t, h.q, name)
}

func connectTo(t testing.TB, q *command.Queue, name string) *handset {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	served, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	d := &handset{t: t, conn: conn, in: bufio.NewReader(conn), peer: &peer{name: name, id: session.NewID("n1"), conn: served}}
	q.Online(d.peer)
	d.gone.Go(func() { serve(q, d.peer) })
	t.Cleanup(d.close)
	return d
}

// stateOf is the state that a line to the web server tells.
func stateOf(line []byte) string {
	var told struct{ State string }
	json.Unmarshal(line, &told)
	return told.State
}

// serve hands a connection's lines to the queue, and ends with it.
func serve(q *command.Queue, p *peer) {
	in := bufio.NewReader(p.conn)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			q.Offline(p, err) // first, as of a connection that ends while it is written to
			p.conn.Close()
			return
		}
		m := frame.Message{Data: line[:len(line)-1]}
		if m.Data = line[:len(line)-1]; len(m.Data) > 0 && m.Data[0] == '#' {
			m.Ack = m.Data[1:2]
		}
		if string(m.Data) == "PING" {
			m.Kind = frame.Heartbeat
		}
		q.Heard(p, &m)
	}
}

func (d *handset) close() {
	d.conn.Close()
	d.gone.Wait()
}

// gets reads what must come.
func (d *handset) gets(want string) {
	d.t.Helper()
	got := make([]byte, len(want))
	d.conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(d.in, got); err != nil || string(got) != want {
		d.t.Fatalf("the device got %q, %v; want %q", got, err, want)
	}
}

// getsNothing is for where something came before that shows that nothing is on its way.
func (d *handset) getsNothing() {
	d.t.Helper()
	d.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if b, err := d.in.ReadByte(); err == nil {
		d.t.Fatalf("the device got %q; want nothing", b)
	}
}

func (d *handset) says(line string) {
	d.t.Helper()
	if _, err := d.conn.Write([]byte(line + "\n")); err != nil {
		d.t.Fatal(err)
	}
}

// text is a request of text.
func text(name, data string) device.CommandRequest {
	b, _ := json.Marshal(data)
	return device.CommandRequest{Fleet: "fleet", Name: name, Data: b}
}

func with(req device.CommandRequest, change func(*device.CommandRequest)) device.CommandRequest {
	change(&req)
	return req
}

func acked(req device.CommandRequest, by string) device.CommandRequest {
	req.Ack = &device.AckRule{By: by}
	return req
}

func (h *house) add(req device.CommandRequest) device.Command {
	h.t.Helper()
	c, existed, err := h.q.Add(h.t.Context(), req, "vera")
	if err != nil || existed {
		h.t.Fatalf("add %s %s: existed %v, %v", req.Name, req.Data, existed, err)
	}
	return c
}

// ends waits until a command is over, and it must be so.
func (h *house) ends(c device.Command, want device.CommandState) device.Command {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	got, err := h.q.Await(ctx, command.Ref{Fleet: c.Fleet, Name: c.Name, ID: c.ID})
	if err != nil || got.State != want {
		h.t.Fatalf("command %q of %s is %s (%s), %v; want %s", c.Data, c.Name, got.State, got.Error, err, want)
	}
	return got
}

func (h *house) state(c device.Command) device.CommandState {
	h.t.Helper()
	got, err := h.q.Get(h.t.Context(), command.Ref{ID: c.ID})
	if err != nil {
		h.t.Fatal(err)
	}
	return got.State
}

// is waits until a command is in a state that is not its last.
func (h *house) is(c device.Command, want device.CommandState) {
	h.t.Helper()
	for end := time.Now().Add(patience); h.state(c) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("command %q is %s; want %s", c.Data, h.state(c), want)
		}
	}
}

func wantError(t *testing.T, err, want error, words string) {
	t.Helper()
	if !errors.Is(err, want) || !strings.Contains(err.Error(), words) {
		t.Errorf("error %v; want one that wraps %q and says %q", err, want, words)
	}
}
