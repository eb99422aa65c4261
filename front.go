package switchboard

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/switchboard-relay/switchboard/web"
)

// front is one address at which paths of HTTP are served: by listeners, and at http.listen by REST as well.
type front struct {
	rest    http.Handler // for all other paths; nil: there are none
	hosts   []string
	proxies proxies
	addr    net.Addr
	server  *http.Server // nil until somebody serves

	mu     sync.RWMutex
	routes map[string]http.Handler
}

// ServeHTTP implements http.Handler. A slash at the end of a path does not count.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if client := f.proxies.client(r); client != r.RemoteAddr {
		known := *r
		known.RemoteAddr = client
		r = &known
	}
	f.mu.RLock()
	h := f.routes[trimPath(r.URL.Path)]
	f.mu.RUnlock()
	switch {
	case h != nil && !web.KnownHost(r, f.hosts):
		http.Error(w, fmt.Sprintf("host %q is not this server: use its IP address or localhost", r.Host), http.StatusForbidden)
	case h != nil:
		h.ServeHTTP(w, r)
	case f.rest != nil:
		f.rest.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

func trimPath(p string) string { return "/" + strings.Trim(p, "/") }

// route has a path served. It returns what ends that.
func (f *front) route(path string, h http.Handler) (func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path = trimPath(path)
	if f.routes[path] != nil {
		return nil, fmt.Errorf("the path %s at %s is served by another listener already", path, f.addr)
	}
	if f.routes == nil {
		f.routes = map[string]http.Handler{}
	}
	f.routes[path] = h
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
	if f := sb.fronts[conf.Listen]; f != nil {
		return f, nil
	}
	ln, err := listenHTTP(conf)
	if err != nil {
		return nil, err
	}
	f := &front{addr: ln.Addr(), hosts: httpHosts(conf), proxies: newProxies(conf), rest: rest}
	f.server = web.Server(f, sb.logger)
	sb.fronts[conf.Listen] = f
	sb.serving.Go(func() {
		if err := f.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			sb.logger.Error("HTTP is not served any more", "address", f.addr, "error", err)
		}
	})
	return f, nil
}

// closeFront stops serving at an address where nothing is left.
func (sb *Switchboard) closeFront(listen string) {
	if f := sb.fronts[listen]; f != nil && f.empty() {
		delete(sb.fronts, listen)
		f.server.Close() // an error says that it is closed already
	}
}
