package switchboard

import (
	"fmt"
	"slices"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/sourceserver"
	"github.com/switchboard-relay/switchboard/web"
)

const defaultSourceServerMax = 1000

// sourceServer checks what service: source-server needs: its protocol asks nobody who he is.
func (c *checker) sourceServer(path string, l *ListenerConfig) {
	if l.Max == 0 {
		l.Max = defaultSourceServerMax
	}
	if l.Record == "" {
		l.Record = "off" // what passes is on record already
	}
	c.oneOf(path+".role", l.Role, "viewer", "operator")
	for i, text := range l.Allow {
		if _, err := parseProxy(text); err != nil {
			c.wrong(fmt.Sprintf("%s.allow[%d]", path, i), "%v", err)
		}
	}
	if l.Allow != nil && len(l.Allow) == 0 {
		c.wrong(path+".allow", "is empty, so nobody could ask: name addresses or networks, or leave it out")
	}
	may := "sees and ends sessions"
	if l.Role == "viewer" {
		may = "sees sessions"
	}
	c.guarded(path, l, "a source-server", may)
}

// offered checks that the listeners whose sessions are offered are there.
func (c *checker) offered(conf *Config) {
	known := []string{web.RunListener, web.StreamListener}
	for _, l := range conf.Listeners {
		if l.Service != sourceserver.Name {
			known = append(known, l.Name)
		}
	}
	for _, s := range conf.Sources {
		known = append(known, s.Name)
	}
	for i, l := range conf.Listeners {
		for j, name := range l.Listeners {
			if l.Service != sourceserver.Name || slices.Contains(known, name) {
				continue
			}
			hint := ""
			if near := nearest(name, known); near != "" {
				hint = fmt.Sprintf("; did you mean %q?", near)
			}
			c.wrong(fmt.Sprintf("listeners[%d].listeners[%d]", i, j), "no listener that has sessions to offer is called %q%s", name, hint)
		}
	}
}

// sourceServerService makes the service of service: source-server.
func (l *ListenerConfig) sourceServerService(h *hub.Hub) *sourceserver.Service {
	svc := &sourceserver.Service{Hub: h, Listeners: l.Listeners, ViewOnly: l.Role == "viewer"}
	for _, text := range l.Allow {
		if p, err := parseProxy(text); err == nil { // which was checked
			svc.Allow = append(svc.Allow, p)
		}
	}
	return svc
}
