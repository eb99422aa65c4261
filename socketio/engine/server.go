package engine

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves Engine.IO over HTTP.
type Server struct {
	// fixed after New
	opt     Options
	handler Handler
	origins origins
	start   time.Time
	done    chan struct{} // closed by Close

	table  table
	slots  atomic.Int64 // taken by connections, which may have ended and still owe a poll its answer
	places *places
	counts counts

	mu     sync.RWMutex // held for writing by Close
	closed bool
	tasks  sync.WaitGroup // connections until their Closed has returned, readers, the sweeper
}

// New makes a Server. The caller calls Close.
func New(opt Options, h Handler) *Server {
	opt = opt.withDefaults()
	s := &Server{
		opt:     opt,
		handler: h,
		origins: newOrigins(opt.Origins, opt.Credentials),
		start:   time.Now(),
		done:    make(chan struct{}),
		places:  newPlaces(opt.MaxPerAddress, opt.HandshakeRate, opt.MaxConnections),
	}
	s.table.init()
	s.tasks.Go(s.sweep)
	return s
}

// now is the time since the server's start, which the clock of the wall does not move.
func (s *Server) now() time.Duration { return time.Since(s.start) }

// Close ends every connection as ServerShutdown and waits until Closed has returned for each, or until ctx ends.
// Requests are refused from then on. Polls that wait are answered, which http.Server.Shutdown waits for.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		close(s.done)
	}
	for _, c := range s.table.all() {
		c.end(ServerShutdown, nil, afterWaiting)
		c.stopUpgrade()
	}
	over := make(chan struct{})
	go func() { // ends with the last connection
		s.tasks.Wait()
		close(over)
	}()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		for _, c := range s.table.all() {
			c.cutOff()
			c.stopUpgrade()
		}
		return ctx.Err()
	}
}

// request is what the query of a request says.
type request struct {
	websocket bool
	older     bool // revision 3
	b64       bool
	sid       string
}

// parse reads the query by hand: this is done for every poll.
func (s *Server) parse(query string) (q request, refused *refusal) {
	var transport, revision string
	jsonp := false
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "transport":
			transport = value
		case "EIO":
			revision = value
		case "sid":
			q.sid = value
		case "b64":
			q.b64 = value != "" && value != "0" && value != "false"
		case "j":
			jsonp = true
		}
	}
	switch {
	case transport == "websocket" && !s.opt.NoWebSocket:
		q.websocket = true
	case transport == "polling" && !s.opt.NoPolling:
		if jsonp {
			return q, refusedJSONP
		}
	default:
		return q, refusedTransport
	}
	switch {
	case revision == "3" && !s.opt.NoEIO3:
		q.older = true
	case revision != "4":
		return q, refusedRevision
	}
	return q, nil
}

// ServeHTTP serves any path: who mounts it chooses.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.admit(w, r) {
		return
	}
	q, refused := s.parse(r.URL.RawQuery)
	if refused != nil {
		s.refuse(w, refused)
		return
	}
	if q.sid == "" {
		s.handshake(w, r, q)
		return
	}
	c := s.table.find(q.sid)
	switch {
	case c == nil:
		s.refuse(w, refusedSession)
	case c.older != q.older || q.websocket != wantsUpgrade(r):
		s.refuse(w, refusedRequest)
	case q.websocket:
		c.serveUpgrade(w, r)
	case r.Method == http.MethodGet:
		c.serveGet(w, r)
	case r.Method == http.MethodPost:
		c.servePost(w, r)
	default:
		s.refuse(w, refusedMethod)
	}
}

func wantsUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// remote is the address that a request comes from.
func (s *Server) remote(r *http.Request) string {
	if s.opt.Address != nil {
		return strings.Clone(s.opt.Address(r)) // which may be a part of something larger
	}
	return r.RemoteAddr
}
