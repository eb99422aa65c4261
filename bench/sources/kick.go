//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/threeend"
)

const kicks = 500

// kicked is a source whose sessions end by kicks, and which tells when it was asked.
type kicked struct {
	ln    net.Listener
	asked chan time.Time

	mu    sync.Mutex
	views map[string]net.Conn
}

// serve answers until the listener is closed.
func (k *kicked) serve() {
	for {
		conn, err := k.ln.Accept()
		if err != nil {
			return
		}
		go k.answer(conn) // ends with its request
	}
}

func (k *kicked) answer(conn net.Conn) {
	buf := make([]byte, threeend.MaxRequest)
	n, err := conn.Read(buf)
	now := time.Now()
	request, more, bad := threeend.ParseRequest(buf[:n])
	if err != nil || more || bad != nil {
		conn.Close()
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !request.Kick {
		k.views[request.ID] = conn
		conn.Write(threeend.AppendFrame(nil, threeend.Display, []byte(helloText)))
		return
	}
	k.asked <- now
	for _, c := range []net.Conn{k.views[request.ID], conn} {
		if c != nil {
			c.Write([]byte{byte(threeend.Kicked)})
			c.Close()
		}
	}
	delete(k.views, request.ID)
}

// kick takes the time from the request at REST, as the console makes it, until the kick is there at the source's socket, and
// until the answer is there, one at a time; and until the session's end is there at who watches it.
func kick(r *benchkit.Run) error {
	k := &kicked{asked: make(chan time.Time, 1), views: map[string]net.Conn{}}
	var err error
	if k.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	defer k.ln.Close()
	go k.serve() // ends with the listener
	server, err := r.Server(benchkit.ServerOptions{Config: configure("", map[string]string{"ssh": k.ln.Addr().String()})})
	if err != nil {
		return err
	}
	var there, answered, told benchkit.Times
	for i := range kicks {
		r.Progress("kick %d of %d", i+1, kicks)
		ref := fmt.Sprintf("ssh:%d", i)
		id, err := open(server, ref)
		if err != nil {
			return err
		}
		events, err := server.Open("/api/v1/sessions/" + id + "/events")
		if err != nil {
			return err
		}
		over := make(chan time.Time, 1)
		go func() { // ends with the session
			io.Copy(io.Discard, events)
			events.Close()
			over <- time.Now()
		}()
		var answer threeend.Answer
		start := time.Now()
		if err := server.Post("/api/v1/sources/kick", struct {
			Session string `json:"session"`
			Reason  string `json:"reason"`
		}{ref, "a figure"}, &answer); err != nil {
			return err
		}
		answered.Add(time.Since(start))
		there.Add((<-k.asked).Sub(start))
		told.Add((<-over).Sub(start))
		if answer.Code != 3 {
			return fmt.Errorf("kick %d was answered %+v", i, answer)
		}
	}
	r.Add(benchkit.Row{Name: "kick at REST to the source's socket, median", Ours: benchkit.One(there.Percentile(0.5).Seconds()), Unit: benchkit.Millis})
	r.Add(benchkit.Row{Name: "the same, p99", Ours: benchkit.One(there.Percentile(0.99).Seconds()), Unit: benchkit.Millis,
		Target: benchkit.AtMost(20e-3, benchkit.Millis)})
	r.Add(benchkit.Row{Name: "kick at REST to its answer, p99", Ours: benchkit.One(answered.Percentile(0.99).Seconds()), Unit: benchkit.Millis})
	r.Add(benchkit.Row{Name: "kick at REST to the end of a watcher's stream, p99", Ours: benchkit.One(told.Percentile(0.99).Seconds()), Unit: benchkit.Millis})
	_, err = server.Stop()
	return err
}
