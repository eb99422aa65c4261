//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const takeovers = 500

// takeover takes the time from a registration until the older connection of the same name has ended.
func takeover(r *benchkit.Run) error {
	s, err := startServer(r, setup{framing: pieces})
	if err != nil {
		return err
	}
	l, err := spawnLoad(r)
	if err != nil {
		return err
	}
	defer l.Close()
	n := min(1_000, *devices)
	if _, err := l.do(order{Do: "link", Addr: s.addr}, order{Do: "begin", Config: config(s.addr, n, 1)}, order{Do: "pause"}, order{Do: "resume"}); err != nil {
		return err
	}
	r.Progress("%d takeovers", takeovers)
	rep, err := l.order(order{Do: "takeover", Addr: s.addr, Count: takeovers})
	if err != nil {
		return err
	}
	r.Add(benchkit.Row{Name: "takeover, older connection ended: median", Ours: benchkit.One(rep.Took.P50), Unit: benchkit.Millis})
	r.Add(benchkit.Row{Name: "takeover, older connection ended: p99", Ours: benchkit.One(rep.Took.P99), Unit: benchkit.Millis,
		Target: benchkit.AtMost(0.05, benchkit.Millis)})
	r.Note("takeover: %d of them, one after the other, from before the newer connection writes the name until the older one's far end sees its end; "+
		"%d other devices send a message a second each. The slowest took %s.", takeovers, n, benchkit.Millis(rep.Took.Max))
	if _, err := l.order(order{Do: "end"}); err != nil {
		return err
	}
	_, err = s.Stop()
	return err
}

// takeover has one connection after the other register under the same names.
func (l *loader) takeover(o order) (times, error) {
	took := &benchkit.Times{}
	for i := range o.Count {
		d, err := l.takeOver(o.Addr, fmt.Sprintf("takeover-%d", i))
		if err != nil {
			return times{}, err
		}
		took.Add(d)
	}
	return timesOf(took), nil
}

func (l *loader) takeOver(addr, name string) (time.Duration, error) {
	var conns [2]net.Conn
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		conns[i] = c
	}
	hello := []byte("ETUNG:" + name + "\n")
	l.web.registering(name)
	if _, err := conns[0].Write(hello); err != nil {
		return 0, err
	}
	if err := l.web.await(name); err != nil {
		return 0, err
	}
	type end struct {
		at  time.Time
		err error
	}
	ended := make(chan end, 1)
	go func() { // ends with the deadline of the connection
		_, err := io.Copy(io.Discard, conns[0])
		ended <- end{time.Now(), err}
	}()
	start := time.Now()
	if _, err := conns[1].Write(hello); err != nil {
		return 0, err
	}
	e := <-ended
	var late net.Error
	if errors.As(e.err, &late) && late.Timeout() {
		return 0, fmt.Errorf("%s: the older connection did not end within 10 s", name)
	}
	return e.at.Sub(start), nil
}

// await waits until the web server was told of a registration.
func (w *web) await(name string) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
		w.mu.Lock()
		_, waits := w.began[name]
		w.mu.Unlock()
		if !waits {
			return nil
		}
	}
	return fmt.Errorf("%s: the web server was not told of it within 10 s", name)
}
