// Package web is the way in for programs and people: REST, metrics and health. docs/rest.md describes it.
package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

// Options are what the handler serves.
type Options struct {
	Hub      *hub.Hub
	Rooms    *room.Rooms // nil: there are none
	Sources  Sources     // nil: none are configured
	Devices  Devices     // nil: there are none
	Commands Commands    // nil: there are none
	Forwards Forwards    // nil: there are none
	Auth     *auth.Auth
	Version  string
	Node     string
	Data     string // the data folder
	Start    time.Time
	Hosts    []string // names, besides IP addresses and localhost, under which requests may come to a loopback address
	Logger   *slog.Logger

	// Secret is the administrator's token: the console's cookies are sealed with it. Empty: no console is served.
	Secret string

	Seal string // passes are sealed with it, which is as long as a token; empty: they end with the handler

	MaxImport   int64 // bytes of a recording of another program; 0: 1 GiB
	Retention   hub.Retention
	SampleEvery time.Duration // between samples of the history; 0: 10 s
}

type server struct {
	Options
	pace        pace
	past        history
	rising      rising
	viewers     *viewers
	cookies     *auth.Cookies // nil: no console is served
	codes       *auth.Codes
	failures    failures
	guests      guests
	imports     chan struct{} // holds a value for each that is under way
	running     runListener
	alisViewers atomic.Int64
	passes      *auth.Passes
	intakes     intakes
	openings    openings
	life        context.Context // ends when the handler closes

	onChange func(id session.ID, what string) // fixed after New
}

// changed tells who looks on that somebody changed something about a session: "notes", "pin" or "removed".
func (s *server) changed(id session.ID, what string) {
	if s.onChange != nil {
		s.onChange(id, what)
	}
}

// route is one line of the API: what it needs, and what does it.
type route struct {
	pattern string
	role    auth.Role
	serve   handler
}

type handler func(s *server, w http.ResponseWriter, r *http.Request) error

// routes are all that need a token, each where what it does is.
var routes = [][]route{sessionRoutes, activityRoutes, noteRoutes, findRoutes, importRoutes, screenRoutes, typeRoutes, passRoutes,
	alisRoutes, segmentedRoutes, streamRoutes, roomRoutes, deviceRoutes, messageRoutes, serverRoutes, loginRoutes, runRoutes, sourceRoutes, forwardRoutes, commandRoutes}

// Serves reports whether a path is the API's: nobody else is to be served there.
func Serves(path string) bool {
	return path == "/healthz" || path == "/metrics" || path == uploadPath || path == "/api/v1" || strings.HasPrefix(path, "/api/v1/")
}

// Handler serves everything that there is over HTTP.
type Handler struct {
	http.Handler
	server *server
	stop   context.CancelFunc
	chores sync.WaitGroup
}

// Close ends what the handler does besides answering: nothing is to be served any more.
func (h *Handler) Close() error {
	h.stop()
	h.chores.Wait()
	h.server.openings.close()
	return h.server.viewers.close()
}

// TokensChanged is to be called when the tokens of Options.Auth were replaced: who looks on by one that is gone is cut off.
func (h *Handler) TokensChanged() {
	h.server.guests.recheck(h.server.sender)
	h.server.viewers.recheck()
	h.server.intakes.recheck()
}

// New makes the handler of everything that is served over HTTP. The caller closes it.
func New(opt Options) *Handler {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	s := &server{Options: opt, codes: auth.NewCodes(opt.Auth),
		imports: make(chan struct{}, importsAtOnce), past: history{every: cmp.Or(opt.SampleEvery, historyEvery)}}
	ctx, stop := context.WithCancel(context.Background())
	s.life = ctx
	s.passes = auth.NewPasses(opt.Auth, cmp.Or(opt.Seal, rand.Text()))
	mux := http.NewServeMux()
	if opt.Secret != "" {
		s.cookies = auth.NewCookies(opt.Auth, opt.Secret)
		s.handleConsole(mux)
	}
	for _, rt := range openRoutes {
		mux.HandleFunc(rt.pattern, s.open(rt.serve))
	}
	for _, rt := range slices.Concat(routes...) {
		mux.HandleFunc(rt.pattern, s.guarded(rt.role, rt.serve))
	}
	metrics := s.metrics()
	mux.HandleFunc("GET /metrics", s.guarded(auth.Viewer, func(_ *server, w http.ResponseWriter, r *http.Request) error {
		metrics.ServeHTTP(w, r)
		return nil
	}))
	mux.HandleFunc("GET /healthz", s.health)
	s.viewers = newViewers(s)
	s.onChange = s.viewers.changed
	mux.HandleFunc(viewersPath, s.viewers.serve)
	mux.HandleFunc("/", s.unknown(mux))
	h := &Handler{Handler: s.fenced(mux), server: s, stop: stop}
	h.chores.Go(func() { s.past.keep(ctx, s.read) })
	return h
}

// onClose has f called when the handler closes, until stop is called.
func (s *server) onClose(f func()) (stop func() bool) { return context.AfterFunc(s.life, f) }

// Server has safe limits for a handler of New: what a client can send or withhold has a bound.
func Server(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// What a request may take.
const (
	maxBody       = 1 << 20          // bytes
	answerLimit   = 60 * time.Second // for an answer that is no stream
	commandPeriod = 10 * time.Second // how long a command may wait for its session
)

var bodyLimit = 30 * time.Second // for a body to arrive

// fenced refuses what a web page of another origin could make a browser ask: names that lead here only by DNS. A panic
// becomes an error of its request alone.
func (s *server) fenced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		// The connection may still have the deadline of its last answer.
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerLimit))
		defer s.contain(w, r)
		if err := CheckHost(r, s.Hosts, false); err != nil {
			writeError(w, http.StatusForbidden, err)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, s.maxBodyOf(r))
		next.ServeHTTP(w, r)
	})
}

// contain answers for a panic, except for the one that cuts an answer off.
func (s *server) contain(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	s.Logger.Error("a request met a mistake in the program", "method", r.Method, "path", r.URL.Path, "panic", p,
		"stack", string(debug.Stack()))
	writeError(w, http.StatusInternalServerError, errors.New("a mistake in the program: the server's log has more"))
}

// CheckHost tells if a request does not name this server: by an IP address, localhost, or one of the names. The name of a
// foreign page can be made to lead here, and a browser then takes the answers for that page's own. Unless it is to be
// everywhere, that is looked after on loopback addresses alone: elsewhere a server may have names that it does not know.
func CheckHost(r *http.Request, names []string, everywhere bool) error {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if ok && !at.IP.IsLoopback() && !everywhere || isNamed(r, names) {
		return nil
	}
	return fmt.Errorf("host %q is not this server: use its IP address or localhost, or add the name to http.hosts", r.Host)
}

func isNamed(r *http.Request, names []string) bool {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.Trim(r.Host, "[]")
	}
	if _, err := netip.ParseAddr(host); err == nil || host == "" || strings.EqualFold(host, "localhost") {
		return true
	}
	for _, known := range names {
		if strings.EqualFold(host, known) {
			return true
		}
	}
	return false
}

type identityKey struct{}

// who is the one who asks.
func who(r *http.Request) auth.Identity {
	id, _ := r.Context().Value(identityKey{}).(auth.Identity)
	return id
}

// guarded lets those in whose token, or cookie, carries the role, and writes errors as JSON.
func (s *server) guarded(role auth.Role, serve handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := s.sender(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.renew(w, r, id)
		if takesPass(r) { // there is nothing in it of who sits at the browser
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		}
		if !id.Role.Includes(role) {
			err := fmt.Errorf("the token %q has the role %s; this needs %s", id.Name, id.Role, role)
			writeError(w, http.StatusForbidden, err)
			return
		}
		ctx, leave := r.Context(), func() {}
		if changesNothing(r) {
			ctx, leave = s.guests.enter(r, id)
			if now, err := s.sender(r); err != nil || now != id {
				leave() // taken away just now
				s.fail(w, r, errNoToken)
				return
			}
		}
		defer leave()
		err = serve(s, w, r.WithContext(context.WithValue(ctx, identityKey{}, id)))
		if context.Cause(ctx) == errNoToken {
			panic(http.ErrAbortHandler) // what was answered by now must not look whole
		}
		if err != nil {
			s.fail(w, r, err)
		}
	}
}

// Errors that an answer's status tells of.
var (
	errNoToken = errors.New("a valid token is needed: send the header Authorization: Bearer TOKEN; the administrator's lies " +
		"in the file named token in the data folder. In a browser, sign in: by the link that \"switchboard console\" prints, " +
		"or with a token")
	errForbidden   = errors.New("not allowed")
	errUnavailable = errors.New("not now")
	errNotRecorded = errors.New("the session is not recorded (record: off): watch it while it is live")
)

// badRequest is an error of who asked.
type badRequest struct{ error }

func (b badRequest) Unwrap() error { return b.error }

func bad(format string, args ...any) error { return badRequest{fmt.Errorf(format, args...)} }

// statusOf is the status that tells of an error, and the error as the one who asked is told of it.
func statusOf(err error) (int, error) {
	var request badRequest
	var ambiguous *hub.AmbiguousError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		less := "send them in pieces"
		if tooLarge.Limit != maxBody {
			less = "http.max_import says how many there may be"
		}
		return http.StatusRequestEntityTooLarge, fmt.Errorf("more than %d bytes: %s", tooLarge.Limit, less)
	case errors.As(err, &request):
		return http.StatusBadRequest, err
	case commandStatusOf(err) != 0:
		return commandStatusOf(err), err
	case sourceStatusOf(err) != 0:
		return sourceStatusOf(err), err
	case errors.Is(err, errNoToken), errors.Is(err, errNoSignIn), errors.Is(err, errPass):
		return http.StatusUnauthorized, err
	case errors.Is(err, errForeignPage), errors.Is(err, errForbidden):
		return http.StatusForbidden, err
	case errors.Is(err, errFailures):
		return http.StatusTooManyRequests, err
	case errors.Is(err, hub.ErrNotFound), errors.Is(err, recording.ErrNotFound), errors.Is(err, errNoRoom), errors.Is(err, errNoSegment),
		errors.Is(err, errNoConsole), errors.Is(err, hub.ErrNoNote), errors.Is(err, errNoForward), errors.Is(err, device.ErrNotFound):
		return http.StatusNotFound, err
	case errors.Is(err, errUnavailable):
		return http.StatusServiceUnavailable, err
	case errors.As(err, &ambiguous), errors.Is(err, hub.ErrNotLive), errors.Is(err, hub.ErrLive), errors.Is(err, device.ErrConnected),
		errors.Is(err, hub.ErrPinned), errors.Is(err, hub.ErrCannotSend), errors.Is(err, hub.ErrCannotType), errors.Is(err, errNotRecorded), errors.Is(err, errSegmentsLive),
		errors.Is(err, errStreams), errors.Is(err, hub.ErrNoScreen), errors.Is(err, recording.ErrNotRecorded), errors.Is(err, hub.ErrTooManyNotes):
		return http.StatusConflict, err
	}
	return http.StatusInternalServerError, err
}

func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return // nobody is there to be told; who only sent nothing for too long is
	}
	status, err := statusOf(err)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="switchboard"`)
	case http.StatusInternalServerError:
		s.Logger.Error("a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	writeError(w, status, err)
}

func writeError(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, failure{Error: err.Error(), Answer: answerOf(err)})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerLimit))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // an error means that the client is gone
}

// unknown answers for paths and methods that there are not, as JSON.
func (s *server) unknown(mux *http.ServeMux) http.HandlerFunc {
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete}
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, m := range methods {
			probe := r.Clone(r.Context())
			probe.Method = m
			if _, pattern := mux.Handler(probe); pattern != "/" && pattern != "" {
				allowed = append(allowed, m)
			}
		}
		if len(allowed) > 0 {
			list := strings.Join(allowed, ", ")
			w.Header().Set("Allow", list)
			writeError(w, http.StatusMethodNotAllowed, fmt.Errorf("%s is not possible here; use %s", r.Method, list))
			return
		}
		nothing(w, r)
	}
}

// nothing answers for a path where there is nothing.
func nothing(w http.ResponseWriter, r *http.Request) {
	writeError(w, http.StatusNotFound, fmt.Errorf("there is nothing at %s: the API begins at /api/v1/", r.URL.Path))
}

// find is the session that the path names by an id or the beginning of one.
func (s *server) find(r *http.Request) (session.Summary, error) {
	return s.Hub.Find(r.Context(), r.PathValue("id"))
}

// awaitBody limits how long the body may take to arrive, until the returned function is called. A limit that stayed
// would end a stream on the same connection.
func awaitBody(w http.ResponseWriter) (arrived func()) {
	ctl := http.NewResponseController(w)
	ctl.SetReadDeadline(time.Now().Add(bodyLimit))
	return func() { ctl.SetReadDeadline(time.Time{}) }
}

// readBody reads a request's body, which has a limit in size and in time.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	defer awaitBody(w)()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, badRequest{err}
	}
	return data, nil
}
