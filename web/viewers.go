package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/socketio"
	"github.com/switchboard-relay/switchboard/threeend"
)

// viewers are those who look on over Socket.IO, as the console does: namespace /console at /api/v1/socket.io/. They are
// told of the live list (see board), and each of the streams of events that it watches (see stream).
type viewers struct {
	server *server
	io     *socketio.Server
	space  *socketio.Namespace
	board  *board

	sources *sourceBoard

	recordings atomic.Int64 // that streams read: each holds a file open

	greeting sync.Mutex // held from hello until the viewer is in greeted: who has got the one misses no change
}

// viewer is one of them. What it does is done in its client's goroutine.
type viewer struct {
	viewers *viewers
	socket  *socketio.Socket
	who     auth.Identity
	streams streams
	joins   joins
	tasks   tasks
	holds   holds
	views   views
}

// Limits of what a viewer may take. What it says is short; how much may wait for it is seen to by board and stream, long
// before its connection would end as slow.
const (
	viewerConnections = 1000
	viewersOfAddress  = 200
	viewerHandshakes  = 20.0     // new connections a second of one address
	viewerPackets     = 4000.0   // a second, of one viewer
	viewerPacket      = 64 << 10 // bytes
	viewerQueue       = 32 << 20 // bytes that may wait for it, in the end
	viewerSignIn      = 10 * time.Second
	viewersPath       = "/api/v1/socket.io/"
	viewersClose      = 5 * time.Second
)

// greeted is the room of those who have got hello.
const greeted = "greeted"

func newViewers(s *server) *viewers {
	opt := socketio.Options{ConnectTimeout: viewerSignIn, MaxAttachments: 1, MaxNamespaces: 1, MaxQueue: 256 << 10,
		Logger: s.Logger}
	opt.NoEIO3 = true
	opt.MaxPayload, opt.WriteLimit = viewerPacket, viewerQueue
	opt.MaxConnections, opt.MaxPerAddress = viewerConnections, viewersOfAddress
	opt.HandshakeRate, opt.MessageRate = viewerHandshakes, viewerPackets
	v := &viewers{server: s, io: socketio.New(opt)}
	v.io.Of("/").Use(func(*socketio.Socket) error {
		return refusal(http.StatusNotFound, bad("there is nothing in this namespace: connect to /console"))
	})
	v.space = v.io.Of("/console")
	v.board = newBoard(s.Hub, v.space)
	v.sources = newSourceBoard(s)
	v.space.Use(v.admit)
	v.space.OnConnect(v.greet)
	v.space.OnDisconnect(func(sock *socketio.Socket, _ socketio.Reason) { viewerOf(sock).leave() })
	handle(v.space, "live", (*viewer).live)
	handle(v.space, "watch", (*viewer).watch)
	handle(v.space, "unwatch", (*viewer).unwatch)
	handle(v.space, "join", (*viewer).join)
	handle(v.space, "leave", (*viewer).leaveOne)
	handle(v.space, "type", (*viewer).typeAlong)
	handleLater(v.space, "open", (*viewer).openOne)
	handle(v.space, "close", (*viewer).closeOne)
	handleLater(v.space, "kick", (*viewer).kickOne)
	handleLater(v.space, "command", (*viewer).command)
	handleLater(v.space, "view", (*viewer).viewOne)
	handle(v.space, "unview", (*viewer).unview)
	handle(v.space, "sources", (*viewer).followSources)
	socketio.On2(v.space, "took", func(_ context.Context, sock *socketio.Socket, number, bytes int64) error {
		viewerOf(sock).took(number, bytes)
		return nil
	})
	return v
}

var errForeignViewer = errors.New("pages of other origins cannot connect: programs send no Sec-Fetch-Site and no Origin")

// serve refuses all that pages of other origins ask: even one that can read no answer could use up its address's connections.
func (v *viewers) serve(w http.ResponseWriter, r *http.Request) {
	if isForeignPage(r) {
		writeError(w, http.StatusForbidden, errForeignViewer)
		return
	}
	v.io.ServeHTTP(w, r)
}

// close ends every connection, and all that was done for it.
func (v *viewers) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), viewersClose)
	defer cancel()
	err := v.io.Close(ctx)
	v.board.close()
	v.sources.close()
	return err
}

func viewerOf(sock *socketio.Socket) *viewer { return sock.Data().(*viewer) }

// admit lets those in who could ask REST the same.
func (v *viewers) admit(sock *socketio.Socket) error {
	id, err := v.identify(sock)
	if err != nil {
		status, err := statusOf(err)
		return refusal(status, err)
	}
	who := &viewer{viewers: v, socket: sock, who: id}
	who.tasks.life, who.tasks.end = context.WithCancel(context.Background())
	sock.SetData(who)
	return nil
}

// identify tells who a viewer is: by the token of its CONNECT, or by what its request brought. Foreign pages were refused
// before.
func (v *viewers) identify(sock *socketio.Socket) (auth.Identity, error) {
	var given struct{ Token string }
	if len(sock.Auth()) > 0 && json.Unmarshal(sock.Auth(), &given) != nil {
		return auth.Identity{}, bad("auth must be an object such as {\"token\": \"…\"}")
	}
	var id auth.Identity
	var known bool
	if given.Token != "" {
		id, known = v.server.Auth.Check(strings.TrimSpace(given.Token))
	} else {
		h := sock.Handshake().Header()
		id, known = v.server.identify(&http.Request{Method: http.MethodGet,
			Header: http.Header{"Authorization": h["Authorization"], "Cookie": h["Cookie"]}})
	}
	if !known {
		return id, errNoToken
	}
	return id, nil
}

// recheck ends the connections of those who would not be let in as who they are any more. Their pages come back, and are
// told.
func (v *viewers) recheck() {
	for _, sock := range v.space.Sockets() {
		v.recheckOne(sock)
	}
}

func (v *viewers) recheckOne(sock *socketio.Socket) {
	if id, err := v.identify(sock); err != nil || id != viewerOf(sock).who {
		sock.Client().Close() // not the socket alone: without one it could stay for ever
	}
}

func refusal(status int, err error) error {
	return &socketio.ConnectError{Message: err.Error(), Data: failure{Error: err.Error(), Status: status}}
}

// failure is an error as viewers get it, and, without its status, whoever asks REST.
type failure struct {
	Error  string `json:"error"`
	Status int    `json:"status,omitempty"`
	*threeend.Answer
}

// greet tells the viewer where it is, before anything else.
func (v *viewers) greet(sock *socketio.Socket) {
	s, who := v.server, viewerOf(sock).who
	v.greeting.Lock()
	defer v.greeting.Unlock()
	sock.Emit("hello", map[string]any{"version": s.Version, "node": s.Node, "start": s.Start.UnixMicro(),
		"now": time.Now().UnixMicro(), "name": who.Name, "role": who.Role, "build": s.build()})
	sock.Join(greeted)
	v.recheckOne(sock) // the tokens may have been replaced since it was let in
}

// changed tells all viewers that somebody changed something about a session.
func (v *viewers) changed(id session.ID, what string) {
	v.greeting.Lock()
	defer v.greeting.Unlock()
	v.space.To(greeted).Emit("changed", map[string]any{"id": id, "what": what})
}

// handle answers an event whose argument is an object, by what f returns or by its error.
func handle[T any](space *socketio.Namespace, event string, f func(v *viewer, ctx context.Context, ask T) (any, error)) {
	space.Handle(event, func(ctx context.Context, sock *socketio.Socket, args socketio.Args) ([]any, error) {
		v := viewerOf(sock)
		ask, err := objectOf[T](event, args)
		var reply any
		if err == nil {
			reply, err = f(v, ctx, ask)
		}
		if err != nil {
			reply = v.failure(event, err)
		}
		return []any{reply}, nil
	})
}

func (v *viewer) failure(what string, err error) failure {
	status, err := statusOf(err)
	if status == http.StatusInternalServerError {
		v.viewers.server.Logger.Error("a viewer's request failed", "request", what, "error", err)
	}
	return failure{err.Error(), status, answerOf(err)}
}

// live begins or ends the live list.
func (v *viewer) live(_ context.Context, ask struct{ On bool }) (any, error) {
	if ask.On {
		v.viewers.board.enter(v)
	} else {
		v.viewers.board.leave(v)
	}
	return struct{}{}, nil
}

// leave ends what is done for a viewer that is gone.
func (v *viewer) leave() {
	v.viewers.board.leave(v)
	v.viewers.sources.leave(v)
	v.streams.close()
	v.joins.close()
	v.tasks.close()
	v.holds.close()
}
