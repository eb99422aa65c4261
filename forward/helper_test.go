package forward_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/forward"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

const patience = time.Minute // for anything that is waited for

// lineSpec cuts at line ends; a device says its name in its first line.
var lineSpec = frame.Spec{
	Framers:    []frame.FramerSpec{{Type: "line"}},
	Register:   &frame.RegisterSpec{Pattern: `LOGIN:(?P<name>\w+)`},
	Heartbeats: []frame.HeartbeatSpec{{Pattern: `PING`}},
}

// node is a hub over a real store and index, with forwards, and a fleet of devices that register by a line.
type node struct {
	*hub.Hub
	t        testing.TB
	dir      string
	store    *recording.Store
	forwards *forward.Forwards
	stop     func()
	log      *bytes.Buffer

	mu    sync.Mutex
	known map[session.ID]*devices
}

// setting is what a node may have besides the usual.
type setting struct {
	dir  string
	keep hub.Retention
	opt  forward.Options
}

func newNode(t testing.TB, with setting, confs ...forward.Config) *node {
	t.Helper()
	if with.dir == "" {
		with.dir = t.TempDir()
	}
	n := &node{t: t, dir: with.dir, log: &bytes.Buffer{}, known: map[session.ID]*devices{}}
	logger := slog.New(slog.NewTextHandler(&locked{w: n.log}, nil))
	if os.Getenv("SHOWLOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	inbox, opened := hub.NewInbox(), make(chan struct{})
	store, err := recording.Open(recording.Options{Dir: with.dir, Logger: logger, OnSealed: inbox.Add})
	check(t, err)
	n.store = store
	idx, err := index.Open(filepath.Join(with.dir, "index.db"))
	check(t, err)
	h, err := hub.New(hub.Options{Node: "n1", Store: store, Index: idx, Inbox: inbox, Retention: with.keep, Logger: logger,
		Holds: func(id session.ID) bool {
			select {
			case <-opened:
				return n.forwards.Holds(id)
			default:
				return true
			}
		}})
	check(t, err)
	n.Hub = h
	with.opt.Hub, with.opt.Path, with.opt.Logger = h, filepath.Join(with.dir, "forward.db"), logger
	if with.opt.Online == nil {
		with.opt.Online = func(string) int { return n.online() }
	}
	n.forwards, err = forward.New(with.opt)
	check(t, err)
	close(opened)
	n.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for _, err := range []error{h.Shutdown(ctx), n.forwards.Close(), store.Close(), h.FinishIndex(ctx), idx.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	t.Cleanup(n.stop)
	check(t, n.forwards.Configure(confs))
	return n
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (n *node) online() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.known)
}

// fleet listens for devices of a fleet, and returns where.
func (n *node) fleet(name string, spec frame.Spec) string {
	n.t.Helper()
	return n.fleetRecorded(name, spec, session.RecordOn)
}

func (n *node) fleetRecorded(name string, spec frame.Spec, record session.Record) string {
	n.t.Helper()
	dialect, err := frame.Compile(spec)
	check(n.t, err)
	l, err := n.Listener(hub.ListenerConfig{Name: name, Transport: "tcp", Service: "device", Record: record,
		OnFailure: session.OnFailureContinue, Fleet: name, Frame: string(session.JSON(spec))}, &registrar{node: n, fleet: name, dialect: dialect})
	check(n.t, err)
	ln, err := transport.Listen(context.Background(), transport.Address{Transport: "tcp", Host: "127.0.0.1:0"}, transport.ListenOptions{})
	check(n.t, err)
	l.Attach(ln)
	go l.Serve(ln) // ends with the hub's Shutdown
	return ln.Addr().String()
}

// registrar is a service of devices that only knows their names.
type registrar struct {
	node    *node
	fleet   string
	dialect *frame.Dialect
}

type devices struct {
	reader frame.Reader
	name   string
}

func (r *registrar) Open(s *hub.Session) error {
	r.node.mu.Lock()
	defer r.node.mu.Unlock()
	r.node.known[s.ID()] = &devices{reader: r.dialect.Reader(s.Datagrams())}
	return nil
}

func (r *registrar) Receive(s *hub.Session, data []byte) error {
	r.node.mu.Lock()
	d := r.node.known[s.ID()]
	r.node.mu.Unlock()
	answers := 0
	err := d.reader.Feed(data, time.Now().UnixMicro(), func(m *frame.Message) error {
		if m.Name != "" && d.name == "" {
			d.name = m.Name
			s.SetName(m.Name)
			r.node.forwards.Named(s, r.fleet, m.Name)
		}
		if m.Kind == frame.Registration || string(m.Data) == "SYNC" {
			answers++
		}
		return nil
	})
	if d.name != "" {
		r.node.forwards.News(s)
	}
	for range answers { // behind the news: who has the answer knows that the forwards have heard
		s.Write([]byte("OK\n"))
	}
	return err
}

func (r *registrar) Close(s *hub.Session) {
	r.node.mu.Lock()
	d := r.node.known[s.ID()]
	delete(r.node.known, s.ID())
	r.node.mu.Unlock()
	if d.name != "" {
		r.node.forwards.Gone(s)
	}
}

// dial connects a device, which registers.
func dial(t testing.TB, addr, name string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	check(t, err)
	t.Cleanup(func() { c.Close() })
	if name != "" {
		settle(t, c, "LOGIN:"+name)
	}
	return c
}

// settle says a line to which the service answers, and waits for that: everything before it was received by then.
func settle(t testing.TB, c net.Conn, line string) {
	t.Helper()
	say(t, c, line)
	c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
		t.Errorf("no answer to %s: %v", line, err)
	}
}

func say(t testing.TB, c net.Conn, line string) {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		t.Error(err)
	}
}

// object is a message as targets get it; of the link, Data and Imei and Connections alone.
type object struct {
	ID          string          `json:"id"`
	Fleet       string          `json:"fleet"`
	Name        string          `json:"name"`
	At          int64           `json:"at"`
	Kind        string          `json:"kind"`
	Flags       []string        `json:"flags"`
	Encoding    string          `json:"encoding"`
	Session     string          `json:"session"`
	Data        json.RawMessage `json:"data"`
	Imei        string          `json:"imei"`
	Connections int             `json:"connections"`
}

// text is the message's bytes, whatever their encoding.
func (o *object) text() string {
	var b struct {
		Type string
		Data []int
	}
	if json.Unmarshal(o.Data, &b) == nil && b.Type == "Buffer" {
		p := make([]byte, len(b.Data))
		for i, n := range b.Data {
			p[i] = byte(n)
		}
		return string(p)
	}
	var raw []byte
	if o.Encoding != "text" && json.Unmarshal(o.Data, &raw) == nil {
		return string(raw)
	}
	var s string
	json.Unmarshal(o.Data, &s)
	return s
}

// inbox is what a target got, in its order.
type inbox struct {
	mu   sync.Mutex
	list []object
	news chan struct{}
}

func newInbox() *inbox { return &inbox{news: make(chan struct{}, 1)} }

func (b *inbox) add(o ...object) {
	b.mu.Lock()
	b.list = append(b.list, o...)
	b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
}

func (b *inbox) all() []object {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.list)
}

// texts are the messages of a device, in order.
func (b *inbox) texts(name string) (list []string) {
	for _, o := range b.all() {
		if o.Name == name || o.Imei == name {
			list = append(list, o.text())
		}
	}
	return list
}

// await waits until enough says so of what came.
func (b *inbox) await(t testing.TB, what string, enough func([]object) bool) []object {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		if b.has(enough) {
			return b.all()
		}
		select {
		case <-b.news:
		case <-deadline.C:
			list := b.all()
			t.Fatalf("%s: it never came; got %d messages, the last %.300v", what, len(list), tail(list))
		}
	}
}

func tail(list []object) (texts []string) {
	for _, o := range list[max(0, len(list)-8):] {
		texts = append(texts, o.Name+o.Imei+":"+o.text())
	}
	return texts
}

// has reports whether enough says so of what came; it looks at the list itself, since a copy for each of many messages
// takes longer than the messages.
func (b *inbox) has(enough func([]object) bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return enough(b.list)
}

// count waits for so many messages.
func (b *inbox) count(t testing.TB, n int) []object {
	t.Helper()
	return b.await(t, fmt.Sprintf("%d messages", n), func(l []object) bool { return len(l) >= n })
}

// wire is a web server's link: a real connection, which can be cut and made again.
type wire struct {
	mu    sync.Mutex
	conn  net.Conn
	came  chan struct{} // closed when there is one
	got   *inbox
	block chan struct{} // not nil: Deliver waits until it is closed
	raw   bytes.Buffer
}

var errNoLink = errors.New("no web server is connected")

func newWire(connected bool) *wire {
	w := &wire{came: make(chan struct{}), got: newInbox()}
	if connected {
		w.connect()
	}
	return w
}

func (w *wire) connect() {
	here, there := net.Pipe()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = here
	close(w.came)
	go func() { // ends when the link is cut
		lines := bufio.NewScanner(there)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			var o object
			if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
				o.Imei = "not JSON: " + lines.Text()
			}
			w.mu.Lock()
			w.raw.Write(append(lines.Bytes(), '\n'))
			w.mu.Unlock()
			w.got.add(o)
		}
	}()
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn.Close()
	w.conn, w.came = nil, make(chan struct{})
}

func (w *wire) Deliver(ctx context.Context, lines []byte) error {
	w.mu.Lock()
	conn, block := w.conn, w.block
	w.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if conn == nil {
		return errNoLink
	}
	_, err := conn.Write(lines)
	return err
}

func (w *wire) Wait(ctx context.Context) error {
	w.mu.Lock()
	came := w.came
	w.mu.Unlock()
	select {
	case <-came:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *wire) setting() setting {
	return setting{opt: forward.Options{Link: func(string) forward.Link { return w }}}
}

var toLink = forward.Config{Name: "web", Fleets: []string{"devices"}, To: "link"}

// status waits until a forward's status is as it should be.
func (n *node) status(name, what string, is func(s device.ForwardStatus) bool) device.ForwardStatus {
	n.t.Helper()
	var s device.ForwardStatus
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		list := n.forwards.Status()
		i := slices.IndexFunc(list, func(s device.ForwardStatus) bool { return s.Name == name })
		if i < 0 {
			n.t.Fatalf("there is no forward %q; got %v", name, list)
		}
		if s = list[i]; is(s) {
			return s
		}
	}
	n.t.Fatalf("forward %q never was %s; got %+v", name, what, s)
	return s
}

type status = device.ForwardStatus

func isIdle(s status) bool { return s.State == "idle" && s.Devices == 0 }

// numbered are the lines that a device says: its name, and a number that counts up.
func numbered(name string, i int) string { return fmt.Sprintf("%s-%06d", name, i) }

// checkNumbered tells loss from disorder: each device must have said 0 to n-1, each at least once, and never one that is
// newer before one that is older, but for repetitions where these are allowed.
func checkNumbered(t testing.TB, list []object, names []string, n int, repeats bool) {
	t.Helper()
	next := map[string]int{}
	seen := map[string]map[int]int{}
	for _, o := range list {
		name := o.Name + o.Imei
		if strings.HasPrefix(o.text(), "LOGIN:") || o.text() == "PING" || o.text() == "SYNC" {
			continue
		}
		var i int
		if _, err := fmt.Sscanf(strings.TrimPrefix(o.text(), name+"-"), "%d", &i); err != nil || !strings.HasPrefix(o.text(), name) {
			t.Fatalf("MIXED UP: device %q said %q", name, o.text())
		}
		if seen[name] == nil {
			seen[name] = map[int]int{}
		}
		seen[name][i]++
		switch {
		case i == next[name]:
			next[name]++
		case i > next[name] && seen[name][next[name]] == 0:
			t.Fatalf("DISORDER OR LOSS: of %q came %d where %d had to", name, i, next[name])
		case i < next[name] && !repeats:
			t.Fatalf("REPEATED: of %q came %d once more, with %d next", name, i, next[name])
		}
	}
	for _, name := range names {
		for i := range n {
			if seen[name][i] == 0 {
				t.Fatalf("LOST: %q said %d, and it never came; %d of its %d did", name, i, len(seen[name]), n)
			}
		}
	}
}

func (n *node) live() (list []*hub.Session) {
	n.EachLive(func(s *hub.Session) bool { list = append(list, s); return true })
	return list
}
