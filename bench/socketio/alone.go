//go:build linux

package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/socketio"
	"github.com/switchboard-relay/switchboard/socketio/engine"
)

// aloneRole is a program on package socketio and nothing else: what one client says, all get.
const aloneRole = "alone"

// aloneOrder is the first request, and then one for each thing to do.
type aloneOrder struct {
	Recovery bool          // first: clients can be recovered
	Profile  string        // save a CPU profile in this file, instead of collecting garbage
	Lasts    time.Duration // the profile
}

func serveAlone(p *benchkit.Parent) error {
	var first aloneOrder
	if err := p.Next(&first); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", newAlone(first.Recovery))
	go http.Serve(ln, mux) // ends with the process
	if err := p.Reply(ln.Addr().String()); err != nil {
		return err
	}
	return benchkit.Serve(p, func(o aloneOrder) (bool, error) {
		if o.Profile != "" {
			return true, profile(o.Profile, o.Lasts)
		}
		runtime.GC()
		runtime.GC()
		return true, nil
	})
}

func newAlone(recovery bool) *socketio.Server {
	opt := socketio.Options{Options: engine.Options{MessageRate: -1}} // the publisher says thousands a second
	if recovery {
		opt.Recovery.Window = 2 * time.Minute
	}
	io := socketio.New(opt)
	room := io.Of("/")
	socketio.On(room, "clientmessage", func(_ context.Context, _ *socketio.Socket, said json.RawMessage) error {
		return room.Emit("message", said)
	})
	return io
}

func profile(path string, lasts time.Duration) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	time.Sleep(lasts)
	pprof.StopCPUProfile()
	return nil
}

func startAlone(r *benchkit.Run, recovery bool) (*subject, error) {
	child, err := r.Spawn(aloneRole)
	if err != nil {
		return nil, err
	}
	s := &subject{dialect: "socketio", pid: child.PID(), collect: func() error { return child.Call(aloneOrder{}, nil) }}
	s.profile = func(name string, lasts time.Duration) (wait func()) {
		path := r.ProfileFile(name)
		if path == "" || child.Send(aloneOrder{Profile: path, Lasts: lasts}) != nil {
			return func() {}
		}
		return func() { child.Receive(nil) }
	}
	return s, child.Call(aloneOrder{Recovery: recovery}, &s.addr)
}
