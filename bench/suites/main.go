// Command suites is the server that the official test suites of Engine.IO and Socket.IO expect: see the folder
// test-suite of https://github.com/socketio/engine.io-protocol, on the branches main and v3, which share one
// endpoint, and of https://github.com/socketio/socket.io-protocol.
//
//	go run -race ./bench/suites
//	cd engine.io-protocol/test-suite && npm ci && npx mocha test-suite.js
package main

import (
	"bufio"
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/switchboard-relay/switchboard/socketio/engine"
)

func main() {
	listen := flag.String("listen", "localhost:3000", "`address` to listen on")
	flag.Parse()
	if err := run(*listen); err != nil {
		log.Fatal(err)
	}
}

func run(listen string) error {
	opt := engine.Options{
		PingInterval: 300 * time.Millisecond,
		PingTimeout:  200 * time.Millisecond,
		MaxPayload:   1_000_000,
		Origins:      []string{"*"},
	}
	e, s := engine.New(opt, echo{}), rooms(opt)
	mux := http.NewServeMux()
	mux.Handle("/engine.io/", unhurried(e))
	mux.Handle("/socket.io/", unhurried(s))
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }() // ends with Shutdown
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s.Close(limit)
	e.Close(limit)
	return server.Shutdown(limit)
}

// echo sends each message back.
type echo struct{}

func (echo) Open(*engine.Conn, *http.Request) error    { return nil }
func (echo) Upgraded(*engine.Conn)                     {}
func (echo) Closed(*engine.Conn, engine.Reason, error) {}
func (echo) Message(c *engine.Conn, p []byte, binary bool) error {
	if binary {
		c.Send(engine.NewBinary(p)) // an error is the connection's end
	} else {
		c.Send(engine.NewMessage(p))
	}
	return nil
}

// unhurried leaves a moment between the answer to a WebSocket handshake and what follows. The suites begin to listen
// for messages only when they have been told that the connection is open: if both come with one read, they miss the
// first. The engine leaves one, but a busy machine needs more.
func unhurried(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !r.URL.Query().Has("sid") {
			w = &hijacker{w}
		}
		next.ServeHTTP(w, r)
	})
}

const moment = 20 * time.Millisecond

type hijacker struct{ http.ResponseWriter }

func (h *hijacker) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err == nil {
		rw.Writer = bufio.NewWriter(answer{c})
	}
	return c, rw, err
}

type answer struct{ net.Conn }

func (a answer) Write(p []byte) (int, error) {
	defer time.Sleep(moment)
	return a.Conn.Write(p)
}
