package clients_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/socketio"
	"github.com/switchboard-relay/switchboard/socketio/engine"
)

const goodOrigin = "http://good.example"

// startServer starts what reference.js is in Node, and returns its address.
func startServer(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	for path, opt := range options() {
		opt.Origins, opt.Credentials = []string{goodOrigin}, true
		opt.MaxConnections, opt.MaxPerAddress, opt.HandshakeRate, opt.MessageRate = -1, -1, -1, -1
		opt.UpgradeTimeout = time.Minute // an upgrade that is given up is not tried again
		io := socketio.New(opt)
		addNamespaces(io)
		mux.Handle(path, io)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := io.Close(ctx); err != nil {
				t.Errorf("closing the server of %s: %v", path, err)
			}
		})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		server.Serve(listener)
		close(done)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return "http://" + listener.Addr().String()
}

// options are those of the server on each path.
func options() map[string]socketio.Options {
	// The large events of some cases are not to take the place of what others are to be given again.
	recovery := socketio.Recovery{Window: 2 * time.Minute, Messages: 1_000_000, Bytes: 1 << 30}
	return map[string]socketio.Options{
		"/socket.io/": {Recovery: recovery},
		"/plain/":     {},
		"/brief/":     {Recovery: socketio.Recovery{Window: 400 * time.Millisecond}},
		"/lively/":    {Options: engine.Options{PingInterval: 200 * time.Millisecond}},
		"/pulse/": {
			Options:        engine.Options{PingInterval: 300 * time.Millisecond, PingTimeout: 5 * time.Second},
			ConnectTimeout: 5 * time.Second, Recovery: recovery,
		},
		"/polling/":   {Options: engine.Options{NoWebSocket: true}},
		"/websocket/": {Options: engine.Options{NoPolling: true}},
	}
}

// registrar is a namespace, or many.
type registrar interface {
	socketio.Registrar
	OnConnect(func(*socketio.Socket))
	OnDisconnect(func(*socketio.Socket, socketio.Reason))
}

func addNamespaces(io *socketio.Server) {
	ends := &ends{reasons: map[string][]socketio.Reason{}, waiting: map[string][]waiter{}}
	for _, name := range []string{"/", "/all", "/other", "/auth", "/greeting"} {
		addCommands(io.Of(name), ends)
	}
	addCommands(io.OfFunc(regexp.MustCompile(`^/dynamic-\w+$`).MatchString), ends)
	io.Of("/auth").Use(func(s *socketio.Socket) error {
		var auth struct{ Token *string }
		if s.Auth() != nil {
			if err := json.Unmarshal(s.Auth(), &auth); err != nil {
				return err
			}
		}
		if auth.Token != nil && *auth.Token == "right" {
			return nil
		}
		return &socketio.ConnectError{Message: "not authorised", Data: map[string]any{"code": 401, "given": auth.Token}}
	})
	io.Of("/greeting").OnConnect(func(s *socketio.Socket) {
		for i := range 20 {
			s.Emit("greeting", i)
		}
	})
}

// addCommands gives a namespace's sockets the commands of the cases; see reference.js.
func addCommands(n registrar, ends *ends) {
	n.OnDisconnect(func(s *socketio.Socket, reason socketio.Reason) { ends.add(key(s, s.ID()), reason) })
	addAnswers(n)
	addRooms(n)
	addSends(n)
	n.Handle("info", info)
	n.Handle("put", func(_ context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
		s.SetData(args.At(0))
		return nil, nil
	})
	socketio.On2(n, "kick", func(_ context.Context, s *socketio.Socket, id string, all bool) error {
		kicked := s.Namespace().Socket(id)
		switch {
		case kicked == nil:
		case all:
			kicked.Client().Close()
		default:
			kicked.Disconnect()
		}
		return nil
	})
	n.Handle("reason", func(_ context.Context, s *socketio.Socket, args socketio.Args) ([]any, error) {
		var id, answer string
		var nth int
		if err := args.Decode(&id, &nth, &answer); err != nil {
			return nil, err
		}
		reason := ends.nth(key(s, id), nth)
		go func() { // ends with the connection
			select {
			case r := <-reason:
				s.Emit(answer, string(r))
			case <-s.Context().Done():
			}
		}()
		return nil, nil
	})
}

func info(_ context.Context, s *socketio.Socket, _ socketio.Args) ([]any, error) {
	auth := s.Auth()
	if auth == nil {
		auth = json.RawMessage("{}")
	}
	first := func(of map[string][]string) map[string]string {
		out := map[string]string{}
		for name, values := range of {
			out[strings.ToLower(name)] = values[0]
		}
		out["EIO"] = out["eio"]
		return out
	}
	return []any{map[string]any{
		"id": s.ID(), "namespace": s.Namespace().Name(), "rooms": rooms(s), "recovered": s.Recovered(), "data": s.Data(),
		"auth": auth, "query": first(s.Handshake().Query()), "headers": first(s.Handshake().Header()),
		"transport": s.Client().Transport(), "revision": s.Client().Revision(),
	}}, nil
}

// rooms are those besides the socket's own.
func rooms(s *socketio.Socket) []string {
	list := slices.DeleteFunc(append([]string{}, s.Rooms()...), func(room string) bool { return room == s.ID() })
	slices.Sort(list)
	return list
}
