package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/service/fleet"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
)

// patience is how long anything may take on a busy machine.
const patience = time.Minute

// house is a node with a listener of devices over TCP, another over UDP, and the web server's.
type house struct {
	t        testing.TB
	dir      string
	hub      *hub.Hub
	fleets   *fleet.Fleets
	follower *follower
	listener *hub.Listener
	svc      *fleet.Service
	tcp, udp string

	close func()
}

// setting changes a house before its listeners begin.
type setting func(*fleet.Config, *fleet.Options)

func newHouse(t testing.TB, settings ...setting) *house { return houseIn(t, t.TempDir(), settings...) }

func houseIn(t testing.TB, dir string, settings ...setting) *house {
	t.Helper()
	logger, inbox := slog.New(slog.DiscardHandler), hub.NewInbox()
	store, err := recording.Open(recording.Options{Dir: dir, Logger: logger, OnSealed: inbox.Add})
	must(t, err)
	idx, err := index.Open(filepath.Join(dir, "index.db"))
	must(t, err)
	h := &house{t: t, dir: dir, follower: &follower{changed: make(chan struct{}, 1)}}
	h.hub, err = hub.New(hub.Options{Node: "n1", Store: store, Index: idx, Inbox: inbox, Logger: logger})
	must(t, err)
	spec := frame.Spec{Framers: frame.FramerSpecs{frame.Named("etung")}, Heartbeats: []frame.HeartbeatSpec{{Pattern: "PING", Reply: "PONG"}}}
	dialect, err := frame.Compile(spec)
	must(t, err)
	conf := fleet.Config{Listener: "devices", Fleet: "devices", Dialect: dialect,
		WebServer: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}}
	opt := fleet.Options{Hub: h.hub, Path: filepath.Join(dir, "fleet.db"), Logger: logger, Followers: []fleet.Follower{h.follower}}
	for _, set := range settings {
		set(&conf, &opt)
	}
	h.fleets, err = fleet.New(opt)
	must(t, err)
	h.close = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		must(t, h.hub.Shutdown(ctx))
		must(t, h.fleets.Close())
		must(t, store.Close())
		h.hub.FinishIndex(context.Background())
		idx.Close()
	})
	t.Cleanup(h.close)
	conf.Link, err = h.hub.Listener(hub.ListenerConfig{Name: "devices-web", Transport: "tcp", Record: session.RecordOff}, h.fleets.LinkService("devices"))
	must(t, err)
	h.svc, err = h.fleets.Service(conf)
	must(t, err)
	hc := hub.ListenerConfig{Name: "devices", Transport: "tcp", Service: "device", Record: session.RecordOn,
		OnFailure: session.OnFailureContinue, Fleet: "devices", Frame: string(session.JSON(spec)), Usher: h.svc.Usher}
	if conf.AckStored {
		hc.OnFailure = session.OnFailureEnd
	}
	h.listener, err = h.hub.Listener(hc, h.svc)
	must(t, err)
	ln, err := transport.Listen(context.Background(), transport.Address{Transport: "tcp", Host: "127.0.0.1:0"}, transport.ListenOptions{})
	must(t, err)
	h.listener.Attach(ln)
	go h.listener.Serve(ln) // ends with the hub's Shutdown
	h.tcp = ln.Addr().String()

	hc.Name, hc.Transport = "datagrams", "udp"
	l, err := h.hub.Listener(hc, h.svc)
	must(t, err)
	p, err := transport.ListenPackets(context.Background(), transport.Address{Transport: "udp", Host: "127.0.0.1:0"})
	must(t, err)
	l.Attach(p)
	go l.ServePackets(p)
	h.udp = p.Addr().String()
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits until something is so.
func (h *house) until(what string, is func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// far is the far end of a connection.
type far struct {
	net.Conn
	t testing.TB
}

func (h *house) dial() *far { return h.dialFrom("127.0.0.1") }

func (h *house) dialFrom(from string) *far {
	h.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", h.tcp)
	must(h.t, err)
	return h.far(c)
}

func (h *house) dialUDP() *far {
	h.t.Helper()
	c, err := net.Dial("udp", h.udp)
	must(h.t, err)
	return h.far(c)
}

func (h *house) far(c net.Conn) *far {
	h.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &far{c, h.t}
}

func (f *far) say(text string) *far {
	f.t.Helper()
	if _, err := io.WriteString(f, text); err != nil {
		f.t.Fatal(err)
	}
	return f
}

func (f *far) expect(want string) {
	f.t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(f, got); err != nil || string(got) != want {
		f.t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

// awaitEnd waits until the other side closes the connection.
func (f *far) awaitEnd() {
	f.t.Helper()
	if n, err := f.Read(make([]byte, 1)); n > 0 || errors.Is(err, net.ErrClosed) || isTimeout(err) {
		f.t.Fatalf("got %d bytes, %v; want the connection's end", n, err)
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// status is the device of a name.
func (h *house) status(name string) device.Status {
	h.t.Helper()
	st, _, err := h.fleets.Get("devices", name)
	if err != nil && !errors.Is(err, device.ErrNotFound) {
		h.t.Fatal(err)
	}
	return st
}

// online waits until a device has n connections.
func (h *house) online(name string, n int) device.Status {
	h.t.Helper()
	h.until(fmt.Sprintf("%s has %d connections", name, n), func() bool { return len(h.status(name).Sessions) == n })
	return h.status(name)
}

// counts waits until that many are online.
func (h *house) counts(want int) {
	h.t.Helper()
	h.until(fmt.Sprintf("%d are online", want), func() bool { return h.fleets.Online("devices") == want })
}

// ended waits for the end of a session of the remote address.
func (h *house) ended(remote net.Addr) session.Summary {
	h.t.Helper()
	var found session.Summary
	h.until("the session of "+remote.String()+" has ended", func() bool {
		list, err := h.hub.List(context.Background(), session.Recorded, index.Filter{Remote: remote.String()})
		must(h.t, err)
		if len(list) > 0 {
			found = list[0]
		}
		return len(list) > 0
	})
	return found
}

// record is all that a session has on record, as one line each of the events with data.
func (h *house) record(id session.ID) (lines []string) {
	h.t.Helper()
	events, err := h.hub.Events(context.Background(), id, 1)
	must(h.t, err)
	defer events.Close()
	for {
		batch, err := events.TryNext()
		for _, e := range batch {
			if e.Kind != session.Opened && e.Kind != session.Closed {
				lines = append(lines, e.Kind.String()+" "+string(e.Data))
			}
		}
		if err != nil || len(batch) == 0 {
			return lines
		}
	}
}

// follower notes what it is told.
type follower struct {
	mu      sync.Mutex
	lines   []string
	news    int
	changed chan struct{}
}

func (f *follower) note(line string) {
	f.mu.Lock()
	f.lines = append(f.lines, line)
	f.mu.Unlock()
}

func (f *follower) Named(_ *hub.Session, fleet, name string) { f.note("named " + fleet + "/" + name) }

func (f *follower) News(*hub.Session) {
	f.mu.Lock()
	f.news++
	f.mu.Unlock()
}

func (f *follower) Gone(s *hub.Session) { f.note("gone " + s.Name()) }

func (f *follower) told(line string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.lines, line)
}
