package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire stands between the command line and the server, and can be cut.
type wire struct {
	ln     net.Listener
	target string
	limit  int64 // bytes from the server before a connection is cut; 0 means none

	mu    sync.Mutex
	conns map[net.Conn]net.Conn // the near end of each way, and its far end
}

func newWire(t *testing.T, target string, limit int64) *wire {
	t.Helper()
	w := &wire{ln: listen(t, "tcp", "127.0.0.1:0"), target: strings.TrimPrefix(target, "http://"), limit: limit,
		conns: map[net.Conn]net.Conn{}}
	serveConns(t, w.ln, func(_ int, near net.Conn) { w.join(near) })
	t.Cleanup(w.cut)
	return w
}

// join passes bytes both ways until one side ends.
func (w *wire) join(near net.Conn) {
	far, err := net.Dial("tcp", w.target)
	if err != nil {
		return
	}
	defer far.Close()
	w.mu.Lock()
	w.conns[near] = far
	w.mu.Unlock()
	go func() { // ends with near
		io.Copy(far, near)
		far.Close()
	}()
	if w.limit > 0 {
		io.CopyN(near, far, w.limit)
	} else {
		io.Copy(near, far)
	}
	near.Close()
}

// cut breaks every connection.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for near, far := range w.conns {
		near.(*net.TCPConn).SetLinger(0)
		near.Close()
		far.Close() // what copies from it holds near open until it stops
		delete(w.conns, near)
	}
}

// through adds the way over a wire to a command line.
func (s *station) through(w *wire, args ...string) []string {
	s.t.Helper()
	token, err := os.ReadFile(filepath.Join(s.conf.Data, "token"))
	if err != nil {
		s.t.Fatal(err)
	}
	return append(args, "--server", "http://"+w.ln.Addr().String(), "--token", strings.TrimSpace(string(token)))
}

func TestAWatchGoesOnExactlyWhereItsConnectionBroke(t *testing.T) {
	s := open(t)
	w := newWire(t, s.sb.URL(), 0)
	a, b := s.dial("chat", ""), s.dial("chat", "")
	s.awaitMembers("chat", 2)
	id := s.await(1, "--remote", b.LocalAddr().String())[0].ID
	p := start(t, s.through(w, "watch", "--raw", "--direction", "sent", string(id))...)
	s.awaitWatchers(id, 1)
	for i := range 300 {
		word := fmt.Sprintf("message %d\n", i)
		io.WriteString(a, word)
		if got := p.out.next(); got != word {
			t.Fatalf("got %q, want %q", got, word)
		}
		if i%100 == 50 {
			w.cut()
			p.err.until("trying again every second")
			p.err.until("the server is back")
		}
	}
	s.do("kick", string(id))
	if got := p.out.rest(); got != "" {
		t.Errorf("more than was sent: %q", got)
	}
	if code := p.exit(); code != exitOK {
		t.Errorf("got exit code %d, want %d", code, exitOK)
	}
}

func TestAnExportThatBreaksLeavesNoFile(t *testing.T) {
	s := open(t)
	c := s.dial("hello", "Hello client!")
	io.WriteString(c, strings.Repeat("0123456789abcdef", 1<<16))
	c.(*net.TCPConn).CloseWrite()
	s.ended(c)
	id := s.await(1, "--recorded")[0].ID
	w := newWire(t, s.sb.URL(), 100<<10)
	dir := t.TempDir()
	code, _, said := runOnce(t, s.through(w, "export", id.Short(), "-o", filepath.Join(dir, "file"))...)
	if code != exitFailed || !strings.Contains(said, "export is not complete") {
		t.Errorf("got exit code %d, %q", code, said)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestProgressIsToldOnceASecondHasPassed(t *testing.T) {
	var out strings.Builder
	p := &progress{w: &out, total: 4 << 20, began: time.Now()}
	p.Write(make([]byte, 1<<20))
	if out.Len() > 0 {
		t.Errorf("at once: got %q", out.String())
	}
	p.began = time.Now().Add(-2 * time.Second)
	p.Write(make([]byte, 1<<20))
	p.said = time.Now().Add(time.Hour) // so that nothing is due, however long this takes
	p.Write(make([]byte, 1<<20))
	expectMatch(t, out.String(), `^\r\x1b\[K2\.0 MiB of 4\.0 MiB, 50 %, \S+ [KM]iB/s$`)
	p.done()
	if !strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Errorf("in the end nothing is left of it, got %q", out.String())
	}
}
