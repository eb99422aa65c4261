package switchboard

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/transport"
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
		for from, to := range r.Events {
			if from == "" || to == "" || (from == "*") != (to == "*") {
				c.wrong(path+".events", "%q: %q names no event: write NAME: NAME, or \"*\": \"*\" for all, as they are", from, to)
			}
		}
		if r.History.MaxMessages < 0 {
			c.wrong(path+".history.max_messages", "must not be negative")
		}
		c.size(path+".history.max_bytes", r.History.MaxBytes, "")
		c.duration(path+".history.max_age", r.History.MaxAge, "")
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
		if !isOrigin(o) {
			c.wrong(fmt.Sprintf("%s.origins[%d]", path, i), "%q is no origin: write https://example.org, http://127.0.0.1:*, "+
				"https://*.example.org, or * for all", o)
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

func isOrigin(o string) bool {
	if o == "*" {
		return true
	}
	u, err := url.Parse(strings.TrimSuffix(o, ":*"))
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.Trim(u.Path, "/") == ""
}

func (c *checker) socketIO(path string, l *ListenerConfig) {
	if l.Service != "room" && l.Service != "" {
		c.wrong(path+".service", "%s goes with service: room", l.Listen)
	}
	if l.record() == session.RecordStrict {
		c.wrong(path+".record", "strict does not go with %s: what a room says is not held back; use on", l.Listen)
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
}

// webAddresses checks that listeners on one address agree, and that nobody is served in the clear by mistake.
func (c *checker) webAddresses(conf *Config) {
	type place struct {
		name string
		tls  *TLSConfig
	}
	addresses := map[string]place{conf.HTTP.Listen: {"http", conf.HTTP.TLS}}
	for i := range conf.Listeners {
		l := &conf.Listeners[i]
		a, err := transport.ParseListenAddress(l.Listen)
		if err != nil || !a.IsWeb() {
			continue
		}
		path := fmt.Sprintf("listeners[%d]", i)
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
