package switchboard

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/socketio/engine"
	"github.com/switchboard-relay/switchboard/transport"
	"github.com/switchboard-relay/switchboard/web"
)

// rooms checks the rooms.
func (c *checker) rooms(list []RoomConfig) {
	names := map[string]bool{}
	for i := range list {
		r := &list[i]
		path := fmt.Sprintf("rooms[%d]", i)
		switch {
		case r.Name == "":
			c.wrong(path, "name is missing: listeners name their room by it")
		case names[r.Name]:
			c.wrong(path+".name", "two rooms are called %q: choose another name for one", r.Name)
		}
		names[r.Name] = true
		c.oneOf(path+".format", r.Format, string(session.FormatText), string(session.FormatJSON), string(session.FormatBase64))
		c.oneOf(path+".record", r.Record, "on", "off")
		if err := (&session.Mapping{Event: r.Event}).Check(); err != nil {
			c.wrong(path+".event", "%v", err)
		}
		if err := (&session.Mapping{Field: r.Field}).Check(); err != nil {
			c.wrong(path+".field", "%v", err)
		}
		for from, to := range r.Events {
			if from == "" || to == "" || (from == "*") != (to == "*") {
				c.wrong(path+".events", "%q: %q names no event: write NAME: NAME, or \"*\": \"*\" for all, as they are", from, to)
			} else if err := session.CheckEventName(to); err != nil {
				c.wrong(path+".events", "%v", err)
			}
		}
		if r.History.MaxMessages < 0 {
			c.wrong(path+".history.max_messages", "must not be negative")
		}
		if n := c.size(path+".history.max_bytes", r.History.MaxBytes, ""); n > 0 && n < leastHistory {
			c.wrong(path+".history.max_bytes", "%s is too little for one event: at least 1MiB", r.History.MaxBytes)
		}
		c.duration(path+".history.max_age", r.History.MaxAge, "")
	}
}

// leastHistory holds an event of room.MaxEvent, and what NATS keeps with it.
const leastHistory = 1 << 20

// roomsAreUsed checks that every room is some listener's: else it would never be made.
func (c *checker) roomsAreUsed(conf *Config) {
	var used []string
	for _, l := range conf.Listeners {
		if l.Service == "room" {
			used = append(used, l.Room)
		}
	}
	for i, r := range conf.Rooms {
		if r.Name == "" || slices.Contains(used, r.Name) {
			continue
		}
		hint := "name it in a listener's room, or take it away"
		if near := nearest(r.Name, used); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		c.wrong(fmt.Sprintf("rooms[%d].name", i), "no listener has the room %q: %s", r.Name, hint)
	}
}

// web checks what is only of listeners that serve a path of HTTP.
func (c *checker) web(path string, l *ListenerConfig, a transport.Address) {
	only := func(key string, set bool) {
		if set {
			c.wrong(path+"."+key, "only goes with ws:// or socketio://; %s would ignore it", l.Listen)
		}
	}
	if !a.IsWeb() {
		only("origins", len(l.Origins) > 0)
		only("max_message", l.MaxMessage != "")
		only("socketio", l.SocketIO != nil)
		return
	}
	if l.KeepAlive != "" {
		c.wrong(path+".keepalive", "does not go with %s", l.Listen)
	}
	if l.Max == 0 {
		l.Max = defaultWebMax
	}
	for i, o := range l.Origins {
		if err := engine.CheckOrigin(o); err != nil {
			c.wrong(fmt.Sprintf("%s.origins[%d]", path, i), "%v", err)
		}
	}
	if n := c.size(path+".max_message", l.MaxMessage, "1MiB"); n < 1024 || n > 64<<20 {
		c.wrong(path+".max_message", "must be between 1KiB and 64MiB")
	}
	if a.Transport == "socketio" {
		c.socketIO(path, l)
	} else if l.SocketIO != nil {
		c.wrong(path+".socketio", "only goes with socketio://; %s would ignore it", l.Listen)
	}
}

func (c *checker) socketIO(path string, l *ListenerConfig) {
	if l.Service != "room" && l.Service != "" {
		c.wrong(path+".service", "%s goes with service: room", l.Listen)
	}
	if l.record() == session.RecordStrict {
		c.wrong(path+".record", "strict does not go with %s: what a room says is not held back; use on", l.Listen)
	}
	if n, err := ParseSize(cmp.Or(l.MaxMessage, "0")); err == nil && n > room.MaxEvent {
		c.wrong(path+".max_message", "%s is more than a room takes: at most %d bytes with %s", l.MaxMessage, room.MaxEvent, l.Listen)
	}
	if l.SocketIO == nil {
		l.SocketIO = &SocketIOConfig{}
	}
	conf, path := l.SocketIO, path+".socketio"
	if n := conf.Namespace; n != "" && (n[0] != '/' || strings.ContainsAny(n, ",?")) {
		c.wrong(path+".namespace", "%q must begin with a slash, without commas and question marks", n)
	}
	for key, value := range map[string]string{"ping_interval": conf.PingInterval, "ping_timeout": conf.PingTimeout} {
		if d := c.duration(path+"."+key, value, "20s"); d < 100e6 {
			c.wrong(path+"."+key, "must be at least 100ms")
		}
	}
	c.duration(path+".recovery", conf.Recovery, "")
	for key, n := range map[string]float64{"max_per_address": float64(conf.MaxPerAddress),
		"handshake_rate": conf.HandshakeRate, "message_rate": conf.MessageRate} {
		if !(n >= 0 || n == -1) {
			c.wrong(path+"."+key, "%v is no limit: -1 alone means that there is none", n)
		}
	}
}

// webAddresses checks that those who are served at one address have one tls and a path each. What an address was before a
// reload is not known here: see openFront.
func (c *checker) webAddresses(conf *Config) {
	type place struct {
		name string
		tls  *TLSConfig
	}
	addresses := map[string]place{conf.HTTP.Listen: {"http", conf.HTTP.TLS}}
	paths := map[string]string{}
	for i := range conf.Listeners {
		l := &conf.Listeners[i]
		a, err := transport.ParseListenAddress(l.Listen)
		if err != nil || !a.IsWeb() {
			continue
		}
		path := fmt.Sprintf("listeners[%d]", i)
		if a.Host == conf.HTTP.Listen && web.Serves(a.Path) {
			c.wrong(path+".listen", "%s is a path of REST at http.listen: choose another path, or another address", a.Path)
		}
		if a.Host == conf.HTTP.Listen && conf.HTTP.HasConsole() && web.ServesConsole(a.Path) {
			c.wrong(path+".listen", "%s is a path of the console at http.listen: choose another path, as in /ws, or another "+
				"address; or say http.console: false", a.Path)
		}
		if name, taken := paths[a.Host+a.Path]; taken {
			c.wrong(path+".listen", "%s%s is where listener %q is served already: choose another path", a.Host, a.Path, name)
		}
		paths[a.Host+a.Path] = l.Name
		other, shared := addresses[a.Host]
		switch {
		case shared && other.name == "http" && l.TLS != nil:
			c.wrong(path+".tls", "%s is where http.listen is: http.tls holds for it", a.Host)
		case shared && other.name != "http" && !reflect.DeepEqual(other.tls, l.TLS):
			c.wrong(path+".tls", "%s is shared with listener %q: both need the same tls", a.Host, other.name)
		}
		if !shared {
			addresses[a.Host] = place{l.Name, l.TLS}
		}
	}
}
