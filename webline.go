package switchboard

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/room"
	roomservice "github.com/switchboard-relay/switchboard/service/room"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/socketio"
	"github.com/switchboard-relay/switchboard/socketio/engine"
	"github.com/switchboard-relay/switchboard/transport"
)

// webLine is a listener's path of HTTP.
type webLine struct {
	sb       *Switchboard
	listener *hub.Listener
	host     string
	unroute  func()
	handler  atomic.Pointer[webHandler]
	done     chan struct{}
	once     sync.Once
}

// webHandler serves the path; what it holds is let go of by closing it.
type webHandler struct {
	http.Handler
	io.Closer // may be nil
}

// mount serves a listener's path at its address.
func (sb *Switchboard) mount(l *line, addr transport.Address) error {
	h, err := sb.webHandler(l.conf, addr, l.listener)
	if err != nil {
		return err
	}
	f, err := sb.openFront(HTTPConfig{Listen: addr.Host, TLS: l.conf.TLS, Hosts: sb.conf.HTTP.Hosts,
		Proxies: sb.conf.HTTP.Proxies}, nil)
	if err != nil {
		h.close()
		return err
	}
	w := &webLine{sb: sb, listener: l.listener, host: addr.Host, done: make(chan struct{})}
	w.handler.Store(h)
	if w.unroute, err = f.route(addr.Path, w); err != nil {
		h.close()
		sb.closeFront(addr.Host)
		return err
	}
	l.web, l.addr = w, f.addr
	l.serve = func() error {
		<-w.done
		return net.ErrClosed
	}
	l.listener.Attach(w)
	return nil
}

// ServeHTTP implements http.Handler.
func (w *webLine) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.handler.Load().ServeHTTP(rw, r)
}

// Close stops serving the path.
func (w *webLine) Close() error {
	w.once.Do(func() {
		w.handler.Load().close() // who polls comes here for the goodbye
		w.unroute()
		w.sb.closeFront(w.host)
		close(w.done)
	})
	return nil
}

func (h *webHandler) close() {
	if h.Closer != nil {
		h.Closer.Close()
	}
}

// exchange takes another handler, and gives the one before: closing it ends its connections, where they need it.
func (w *webLine) exchange(h *webHandler) *webHandler { return w.handler.Swap(h) }

func (sb *Switchboard) webHandler(conf ListenerConfig, addr transport.Address, l *hub.Listener) (*webHandler, error) {
	if addr.Transport == "socketio" {
		return sb.socketIOHandler(conf, l)
	}
	limit, _ := ParseSize(cmp.Or(conf.MaxMessage, "1MiB"))
	writeLimit, _ := ParseSize(cmp.Or(conf.WriteLimit, "1MiB"))
	return &webHandler{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !engine.AllowsOrigin(conf.Origins, r) {
			l.Refused("foreign origin")
			http.Error(w, "pages of this origin may not connect: the listener's origins have it not", http.StatusForbidden)
			return
		}
		answered := false
		err := l.Accept(func() (transport.Conn, error) {
			answered = true
			return transport.UpgradeWebSocket(w, r, transport.WebSocketOptions{MaxMessage: int(limit),
				WriteLimit: int(writeLimit), RemoteAddr: transport.NamedAddr(r.RemoteAddr)})
		})
		if !answered {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})}, nil
}

// closeLimit bounds how long a Socket.IO listener's connections may take to end.
const closeLimit = 5 * time.Second

type closeFunc func() error

func (f closeFunc) Close() error { return f() }

// socketIOHandler serves Socket.IO, whose clients are members of the listener's room.
func (sb *Switchboard) socketIOHandler(conf ListenerConfig, l *hub.Listener) (*webHandler, error) {
	r, err := sb.openRoom(conf)
	if err != nil {
		return nil, err
	}
	rc := sb.roomConfig(conf)
	svc, err := roomservice.NewSocketIO(roomservice.SocketIOOptions{Room: r, Listener: l,
		Namespace: cmp.Or(conf.SocketIO.Namespace, "/"), Events: rc.Events, ExcludeSender: conf.ExcludeSender,
		Server: sb.socketIOOptions(conf)})
	if err != nil {
		return nil, err
	}
	return &webHandler{Handler: svc, Closer: closeFunc(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		return svc.Close(ctx)
	})}, nil
}

func (sb *Switchboard) socketIOOptions(conf ListenerConfig) socketio.Options {
	c := conf.SocketIO
	opt := socketio.Options{Logger: sb.logger}
	opt.Origins = conf.Origins
	opt.MaxConnections = -1 // max_sessions holds
	opt.MaxPerAddress, opt.HandshakeRate, opt.MessageRate = c.MaxPerAddress, c.HandshakeRate, c.MessageRate
	opt.PingInterval, _ = ParseDuration(cmp.Or(c.PingInterval, "0s"))
	opt.PingTimeout, _ = ParseDuration(cmp.Or(c.PingTimeout, "0s"))
	opt.Recovery.Window, _ = ParseDuration(cmp.Or(c.Recovery, "2m"))
	maxMessage, _ := ParseSize(cmp.Or(conf.MaxMessage, "0"))
	writeLimit, _ := ParseSize(cmp.Or(conf.WriteLimit, "0"))
	opt.MaxPayload, opt.WriteLimit = int(maxMessage), int(writeLimit)
	return opt
}

// roomConfig is the configuration of a listener's room.
func (sb *Switchboard) roomConfig(conf ListenerConfig) RoomConfig {
	room := RoomConfig{Name: cmp.Or(conf.Room, conf.Name)}
	for _, r := range sb.conf.Rooms {
		if r.Name == room.Name {
			room = r
		}
	}
	if room.Events == nil {
		room.Events = map[string]string{"message": "message"}
	}
	room.Record = cmp.Or(room.Record, sb.recordOfRoom(room.Name))
	return room
}

// recordOfRoom is how the listeners of a room are recorded, on if they differ.
func (sb *Switchboard) recordOfRoom(name string) string {
	record := session.Record("")
	for _, l := range sb.conf.Listeners {
		if l.Service != "room" || cmp.Or(l.Room, l.Name) != name {
			continue
		}
		if record != "" && record != l.record() {
			return string(session.RecordOn)
		}
		record = l.record()
	}
	return string(record)
}

// sameWeb reports whether a path's handler can stay as it is.
func sameWeb(a, b ListenerConfig) bool {
	for _, c := range []*ListenerConfig{&a, &b} {
		c.Record, c.OnFailure, c.Idle, c.Max, c.Terminal = "", "", "", 0, ""
	}
	return reflect.DeepEqual(a, b)
}

// openRoom opens a listener's room, or gives the one that is open.
func (sb *Switchboard) openRoom(conf ListenerConfig) (*room.Room, error) {
	c := sb.roomConfig(conf)
	bytes, _ := ParseSize(cmp.Or(c.History.MaxBytes, "0"))
	age, _ := ParseDuration(cmp.Or(c.History.MaxAge, "0s"))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := sb.rooms.Open(ctx, c.Name, room.Config{MaxMessages: int64(c.History.MaxMessages), MaxBytes: bytes, MaxAge: age,
		Record:  session.Record(cmp.Or(c.Record, string(session.RecordOn))),
		Mapping: session.Mapping{Format: session.Format(c.Format), Event: c.Event, Field: c.Field},
		Welcome: c.Welcome, Announce: c.Announce, Farewell: c.Farewell, Presence: c.Presence})
	if err != nil {
		return nil, fmt.Errorf("room: %w", err)
	}
	return r, nil
}
