package forward_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/forward"
)

// upstream is a TCP server that keeps what each connection sent.
type upstream struct {
	net.Listener
	hangsUp string // behind a line that begins so; empty: behind none
	mu      sync.Mutex
	conns   []*received
	news    chan struct{}
}

type received struct {
	net.Conn
	mu  sync.Mutex
	got bytes.Buffer
	end bool
}

func newUpstream(t testing.TB) *upstream {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	u := &upstream{Listener: ln, news: make(chan struct{}, 1)}
	t.Cleanup(func() { u.Close() })
	go u.serve() // ends with the listener
	return u
}

func (u *upstream) serve() {
	for {
		conn, err := u.Accept()
		if err != nil {
			return
		}
		r := &received{Conn: conn}
		u.mu.Lock()
		u.conns = append(u.conns, r)
		u.mu.Unlock()
		go u.read(r) // ends with the connection
	}
}

func (u *upstream) read(r *received) {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		r.mu.Lock()
		r.got.Write(line)
		r.end = err != nil
		r.mu.Unlock()
		if strings.HasPrefix(string(line), "ASK") {
			io.WriteString(r, "ANSWER "+string(line))
		}
		if err != nil {
			r.Close()
		} else if u.hangsUp != "" && strings.HasPrefix(string(line), u.hangsUp) {
			r.Close()
		}
		select {
		case u.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// await waits for what all connections sent, each in its own order.
func (u *upstream) await(t testing.TB, what string, is func(got []string) bool) []string {
	t.Helper()
	deadline := time.After(patience)
	for {
		var got []string
		u.mu.Lock()
		for _, r := range u.conns {
			r.mu.Lock()
			got = append(got, r.got.String())
			r.mu.Unlock()
		}
		u.mu.Unlock()
		if is(got) {
			return got
		}
		select {
		case <-u.news:
		case <-deadline:
			t.Fatalf("%s: it never came; got %.500q", what, got)
		}
	}
}

func toUpstream(u *upstream) forward.Config {
	return forward.Config{Name: "up", To: "tcp://" + u.Addr().String(), RetryMin: 10 * time.Millisecond, RetryMax: 100 * time.Millisecond}
}

func TestAnUpstreamGetsEachDevicesBytesAndAnswersIt(t *testing.T) {
	u := newUpstream(t)
	n := newNode(t, setting{}, toUpstream(u))
	addr := n.fleet("devices", lineSpec)
	c := dial(t, addr, "a")
	io.WriteString(c, "PING\r\none\nASK two\nthr")
	io.WriteString(c, "ee\n")
	want := "LOGIN:a\nPING\r\none\nASK two\nthree\n"
	u.await(t, want, func(got []string) bool { return len(got) == 1 && got[0] == want })
	c.SetReadDeadline(time.Now().Add(patience))
	answer := make([]byte, len("ANSWER ASK two\n"))
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "ANSWER ASK two\n" {
		t.Errorf("got %q, %v", answer, err)
	}
	io.WriteString(c, "cut o")
	c.Close()
	u.await(t, "the end", func(got []string) bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.conns[0].mu.Lock()
		defer u.conns[0].mu.Unlock()
		return got[0] == want+"cut o" && u.conns[0].end
	})
}

func TestAnUpstreamThatComesBackIsToldWhoItIsFirst(t *testing.T) {
	u := newUpstream(t)
	n := newNode(t, setting{}, toUpstream(u))
	c := dial(t, n.fleet("devices", lineSpec), "a")
	say(t, c, "one")
	u.await(t, "one", func(got []string) bool { return len(got) == 1 && strings.HasSuffix(got[0], "one\n") })
	n.status("up", "idle, with one acknowledged", isIdle)
	u.mu.Lock()
	u.conns[0].Close()
	u.mu.Unlock()
	for i := 0; ; i++ { // what the broken connection still took may be lost with it, as with any TCP
		say(t, c, fmt.Sprintf("more %d", i))
		u.mu.Lock()
		again := len(u.conns) > 1
		u.mu.Unlock()
		if again {
			break
		}
		time.Sleep(time.Millisecond)
	}
	say(t, c, "last")
	got := u.await(t, "last", func(got []string) bool { return strings.HasSuffix(got[len(got)-1], "last\n") })
	if again := got[len(got)-1]; !strings.HasPrefix(again, "LOGIN:a\nmore ") || strings.Count(again, "LOGIN") != 1 {
		t.Errorf("got %q; want the registration, and then what was not acknowledged", again)
	}
	if st := n.status("up", "idle", isIdle); st.Delivered < 3 {
		t.Errorf("got %+v", st)
	}
}

func TestManyDevicesHaveAConnectionEach(t *testing.T) {
	u := newUpstream(t)
	n := newNode(t, setting{}, toUpstream(u))
	addr := n.fleet("devices", lineSpec)
	var talking sync.WaitGroup
	want := map[string]bool{}
	for i := range 30 {
		name := fmt.Sprintf("d%02d", i)
		all := "LOGIN:" + name + "\n"
		for k := range 50 {
			all += numbered(name, k) + "\n"
		}
		want[all] = true
		talking.Go(func() {
			c := dial(t, addr, name)
			for k := range 50 {
				say(t, c, numbered(name, k))
			}
		})
	}
	talking.Wait()
	u.await(t, "30 connections with all of a device each", func(got []string) bool {
		if len(got) < 30 {
			return false
		}
		for _, g := range got {
			if !want[g] {
				return false
			}
		}
		return true
	})
}

func TestAnIdleUpstreamConnectionIsClosed(t *testing.T) {
	u := newUpstream(t)
	conf := toUpstream(u)
	conf.Idle = 100 * time.Millisecond
	n := newNode(t, setting{}, conf)
	c := dial(t, n.fleet("devices", lineSpec), "a")
	u.await(t, "the first's end", func(got []string) bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		if len(u.conns) != 1 {
			return false
		}
		u.conns[0].mu.Lock()
		defer u.conns[0].mu.Unlock()
		return u.conns[0].end
	})
	say(t, c, "again")
	u.await(t, "a second", func(got []string) bool { return len(got) == 2 && got[1] == "LOGIN:a\nagain\n" })
}

func TestAnUpstreamThatHangsUpBehindEachLineGetsNoneTwice(t *testing.T) {
	u := newUpstream(t)
	u.hangsUp = "line"
	n := newNode(t, setting{}, toUpstream(u))
	c := dial(t, n.fleet("devices", lineSpec), "a")
	for i := range 50 {
		line := fmt.Sprintf("line %d\n", i)
		io.WriteString(c, line)
		u.await(t, line, func(got []string) bool { return strings.Contains(strings.Join(got, ""), line) })
		n.status("up", "idle", isIdle)
	}
	all := strings.Join(u.await(t, "all", func([]string) bool { return true }), "")
	for i := range 50 {
		if line := fmt.Sprintf("line %d\n", i); strings.Count(all, line) != 1 {
			t.Errorf("%q came %d times", line, strings.Count(all, line))
		}
	}
}
