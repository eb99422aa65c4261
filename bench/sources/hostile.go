//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/threeend"
)

const (
	hostileSessions = 4 // of the source at once, each with somebody who watches and does not read
	hostileLasts    = 3 * time.Second
)

// harm is something that a source may do to who asks for a session.
type harm struct {
	name string
	do   func(conn net.Conn, until time.Time)
}

var harms = []harm{
	{"silence", func(conn net.Conn, until time.Time) { time.Sleep(time.Until(until)) }},
	{"a byte at a time", dribble},
	{"frames of 16 MiB", forever(threeend.AppendFrame(nil, threeend.Display, bytes.Repeat([]byte("x"), threeend.MaxPayload)))},
	{"frames of 1 byte", forever(bytes.Repeat(threeend.AppendFrame(nil, threeend.Display, []byte("x")), 10_000))},
	{"empty frames", forever(bytes.Repeat(threeend.AppendFrame(nil, threeend.Input, nil), 10_000))},
	{"sizes of the view", forever(bytes.Repeat(append(threeend.AppendView(nil, 1000, 1000), threeend.AppendView(nil, 1, 1)...), 1_000))},
	{"a full screen of 1000×1000", forever(append(threeend.AppendView(nil, 1000, 1000), threeend.AppendFrame(nil, threeend.Display,
		[]byte(strings.Repeat("\x1b[1;38;2;1;2;3m中\x1b[m", 200_000)))...))},
	{"noise", forever(append(threeend.AppendView(nil, 80, 24), threeend.AppendFrame(nil, threeend.Display, benchkit.Random(1<<20))...))},
	{"wrong lengths and types", wrong},
}

// forever writes the same as fast as it is read.
func forever(p []byte) func(net.Conn, time.Time) {
	return func(conn net.Conn, until time.Time) {
		conn.SetWriteDeadline(until)
		for {
			if _, err := conn.Write(p); err != nil {
				return
			}
		}
	}
}

func dribble(conn net.Conn, until time.Time) {
	frame := threeend.AppendFrame(threeend.AppendView(nil, 80, 24), threeend.Display, bytes.Repeat([]byte("x"), 1000))
	for i := 0; time.Now().Before(until); i++ {
		if _, err := conn.Write(frame[i%len(frame) : i%len(frame)+1]); err != nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func wrong(conn net.Conn, until time.Time) {
	conn.Write(threeend.AppendView(nil, 80, 24))
	conn.Write(append([]byte{'d', 0xff, 0xff, 0xff, 0xff}, bytes.Repeat([]byte("x"), 1<<20)...))
}

// hostile has a source do each of them, and takes what the server's memory grows by meanwhile.
func hostile(r *benchkit.Run) error {
	for _, h := range harms {
		if !strings.Contains(h.name, *harmful) {
			continue
		}
		r.Progress("hostile: %s", h.name)
		grown, frames, err := suffer(r, h)
		if err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
		r.Add(benchkit.Row{Name: "a hostile source: " + h.name + ": memory", Ours: benchkit.One(grown), Unit: benchkit.MiB,
			Target: benchkit.AtMost(32<<20, benchkit.MiB)})
		if frames < hostileFrames {
			return fmt.Errorf("%s: of another source's %d frames %d came", h.name, hostileFrames, frames)
		}
	}
	r.Note("a hostile source: each has %d sessions at once, watched by some who do not read, and a server of its own, whose memory is "+
		"compared with that before. Meanwhile another source's session is watched: all its frames came.", hostileSessions)
	return nil
}

// hostileFrames are what another source sends beside it.
const hostileFrames = 100

func suffer(r *benchkit.Run, h harm) (grown float64, frames uint64, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer ln.Close()
	good, addr, err := spawnSource(r)
	if err != nil {
		return 0, 0, err
	}
	defer good.Close()
	server, err := r.Server(benchkit.ServerOptions{Config: configure(", answer_timeout: 1s", map[string]string{"bad": ln.Addr().String(), "good": addr})})
	if err != nil {
		return 0, 0, err
	}
	id, err := open(server, "good:x")
	if err != nil {
		return 0, 0, err
	}
	watchers, err := attach(r, server, []string{id})
	if err != nil {
		return 0, 0, err
	}
	defer watchers.Close()
	if err := server.Collect(); err != nil {
		return 0, 0, err
	}
	before, err := benchkit.SettledRSS(r.Context, server.PID(), 3*time.Second)
	if err != nil {
		return 0, 0, err
	}
	until := time.Now().Add(hostileLasts)
	go attack(ln, h, until) // ends with the listener, and its connections at the time
	if err := good.Send(sourceOrder{Do: "stream", Rate: int(hostileFrames / hostileLasts.Seconds()), Size: *size, Lasts: hostileLasts}); err != nil {
		return 0, 0, err
	}
	most, err := whileOpen(r, server, until)
	if err != nil {
		return 0, 0, err
	}
	var rep sourceReport
	if err := good.Receive(&rep); err != nil {
		return 0, 0, err
	}
	var seen watchReport
	benchkit.Until(r.Context, 10*time.Second, "the frames beside it", func() (bool, error) { // less is said by who asks
		err := watchers.Call(watchOrder{Do: "count"}, &seen)
		return seen.Frames > rep.Frames, err
	})
	if _, err = server.Stop(); seen.Frames > rep.Frames {
		seen.Frames = hostileFrames
	}
	return float64(max(0, most-before)), seen.Frames, err
}

func attack(ln net.Listener, h harm, until time.Time) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() { // ends at the time
			defer conn.Close()
			conn.Read(make([]byte, threeend.MaxRequest))
			h.do(conn, until)
		}()
	}
}

// whileOpen opens the sessions of the bad source, has them watched by who does not read, and returns the most memory meanwhile.
func whileOpen(r *benchkit.Run, server *benchkit.Server, until time.Time) (most int64, err error) {
	stuck, err := r.Spawn(watchersRole)
	if err != nil {
		return 0, err
	}
	defer stuck.Close()
	var wg sync.WaitGroup
	var opened atomic.Int64
	for i := range hostileSessions {
		wg.Go(func() {
			id, err := open(server, fmt.Sprintf("bad:%d", i))
			if err != nil {
				return // it is not one that answers
			}
			opened.Add(1)
			stuckOn(server, stuck, id)
		})
	}
	for time.Now().Before(until) {
		rss, err := benchkit.RSS(server.PID())
		if err != nil {
			return 0, fmt.Errorf("the server is gone: %w: %s", err, server.LogTail())
		}
		most = max(most, rss)
		if err := benchkit.Sleep(r.Context, 10*time.Millisecond); err != nil {
			return 0, err
		}
	}
	wg.Wait()
	return most, nil
}

var stuckTurn sync.Mutex

// stuckOn has somebody watch a session who does not read.
func stuckOn(server *benchkit.Server, stuck *benchkit.Child, id string) {
	stuckTurn.Lock()
	defer stuckTurn.Unlock()
	stuck.Call(watchOrder{Do: "attach", Addr: strings.TrimPrefix(server.URL, "http://"), Token: server.Token, IDs: []string{id}, Stuck: true}, nil)
}
