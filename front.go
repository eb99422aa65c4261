package switchboard

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/switchboard-relay/switchboard/web"
)

// front is one address at which paths of HTTP are served: by listeners, and at http.listen by REST as well.
type front struct {
	rest    http.Handler // for all other paths; nil: there are none
	tls     *TLSConfig   // nil: in the clear
	proxies proxies
	addr    net.Addr
	server  *http.Server // nil until somebody serves

	// hosts are the names, besides localhost and IP addresses, under which paths of listeners are asked for. They hold
	// on loopback addresses, and if strict on all.
	hosts  []string
	strict bool

	mu     sync.RWMutex
	routes map[string]*webLine
}

// ServeHTTP implements http.Handler. A slash at the end of a path does not count.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if client := f.proxies.client(r); client != r.RemoteAddr {
		known := *r
		known.RemoteAddr = client
		r = &known
	}
	f.mu.RLock()
	line := f.routes[trimPath(r.URL.Path)]
	f.mu.RUnlock()
	switch {
	case line != nil:
		if err := web.CheckHost(r, f.hosts, f.strict); err != nil {
			line.listener.Refused("foreign host")
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		line.ServeHTTP(w, r)
	case f.rest != nil:
		f.rest.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

func trimPath(p string) string { return "/" + strings.Trim(p, "/") }

// route has a path served. It returns what ends that.
func (f *front) route(path string, line *webLine) (func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path = trimPath(path)
	if f.routes[path] != nil {
		return nil, fmt.Errorf("the path %s at %s is served by another listener already", path, f.addr)
	}
	if f.routes == nil {
		f.routes = map[string]*webLine{}
	}
	f.routes[path] = line
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.routes, path)
	}, nil
}

func (f *front) empty() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.routes) == 0 && f.rest == nil
}

// openFront listens at an address, or gives the front that does. Rest serves what no listener does; it may be nil.
func (sb *Switchboard) openFront(conf HTTPConfig, rest http.Handler) (*front, error) {
	sb.frontsMu.Lock()
	defer sb.frontsMu.Unlock()
	if f := sb.fronts[conf.Listen]; f != nil {
		return f, f.agrees(conf.TLS)
	}
	ln, err := listenHTTP(conf)
	if err != nil {
		return nil, err
	}
	f := &front{addr: ln.Addr(), rest: rest, tls: conf.TLS, hosts: httpHosts(conf), strict: len(conf.Hosts) > 0,
		proxies: newProxies(conf)}
	f.server = web.Server(f, sb.logger)
	sb.fronts[conf.Listen] = f
	sb.serving.Go(func() {
		if err := f.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			sb.logger.Error("HTTP is not served any more", "address", f.addr, "error", err)
		}
	})
	return f, nil
}

// agrees tells why a listener of that TLS cannot be served here. One at http.listen has none of its own: http.tls holds.
func (f *front) agrees(conf *TLSConfig) error {
	switch {
	case reflect.DeepEqual(f.tls, conf), f.rest != nil && conf == nil:
		return nil
	case f.rest != nil:
		return fmt.Errorf("%s is where REST is served, which has not the tls of this listener: choose another address, "+
			"or restart, if http.listen has moved", f.addr)
	}
	return fmt.Errorf("%s is served with another tls for other listeners: give all of them the same, or choose another "+
		"address", f.addr)
}

// closeFront stops serving at an address where nothing is left.
func (sb *Switchboard) closeFront(listen string) {
	sb.frontsMu.Lock()
	defer sb.frontsMu.Unlock()
	if f := sb.fronts[listen]; f != nil && f.empty() {
		delete(sb.fronts, listen)
		f.server.Close() // an error says that it is closed already
	}
}
