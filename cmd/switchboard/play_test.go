package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

func TestPlayInAPipeIsPlainAndInItsOwnTime(t *testing.T) {
	s := open(t)
	const words = `{"version": 2, "width": 80, "height": 24}
[0.0, "o", "Hello\n"]
[0.2, "i", "word 0\n"]
[0.2, "o", "word 0\n"]
[0.4, "i", "word 1\n"]
[0.4, "o", "word 1\n"]
[0.6, "i", "word 2\n"]
[0.6, "o", "word 2\n"]
`
	id, _, _ := strings.Cut(s.do("import", file(t, "words.cast", words)), " ")
	play := func(args ...string) string { return s.do(append([]string{"play", id}, args...)...) }
	timed := func(most time.Duration, args ...string) (out string, took time.Duration) {
		for range 10 { // a busy machine is slow by itself now and then
			began := time.Now()
			out = play(args...)
			if took = time.Since(began); took <= most {
				break
			}
		}
		return out, took
	}
	out, took := timed(5 * time.Second)
	if took < 600*time.Millisecond || took > 5*time.Second {
		t.Errorf("600 ms of session took %v", took)
	}
	expectMatch(t, out, `(?s)^ +0:00\.0\d\d · opened .*→ sent      "Hello\\n"\n`+
		` +0:00\.200 ← received  "word 0\\n"\n.*· closed    done\n$`)
	if _, took := timed(500*time.Millisecond, "--speed", "1000"); took > 500*time.Millisecond {
		t.Errorf("a thousand times as fast took %v", took)
	}
	if _, took := timed(500*time.Millisecond, "--idle", "10ms"); took > 500*time.Millisecond {
		t.Errorf("with its silences cut to 10 ms it took %v", took)
	}
	if out := play("--speed", "1000", "--from", "300ms", "--raw", "--direction", "received"); out != "word 1\nword 2\n" {
		t.Errorf("from 300 ms: got %q", out)
	}
	number := 0
	for line := range strings.Lines(s.do("export", id, "-f", "jsonl")) {
		var ev session.Event
		if json.Unmarshal([]byte(line), &ev) == nil && string(ev.Data) == "word 2\n" && ev.Kind == session.Received {
			number = int(ev.Number)
		}
	}
	if out := play("--speed", "1000", "--from", "#"+strconv.Itoa(number), "--raw"); out != "word 2\nword 2\n" {
		t.Errorf("from event %d: got %q", number, out)
	}
	code, _, said := runOnce(t, s.with("play", id, "--from", "#999")...)
	if code != exitUsage || !strings.Contains(said, "the session has") {
		t.Errorf("from an event that is not there: got exit code %d, %q", code, said)
	}
}

func TestPlayReadsALongSessionWhole(t *testing.T) {
	s := open(t)
	c := s.dial("hello", "Hello client!")
	var want strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&want, "%d %s\n", i, strings.Repeat("x", i%500))
	}
	io.WriteString(c, want.String())
	c.(*net.TCPConn).CloseWrite()
	s.ended(c)
	id := s.await(1, "--recorded")[0].ID
	got := s.do("play", id.Short(), "--speed", "1024", "--idle", "1ms", "--raw", "--direction", "received")
	if got != want.String() {
		t.Errorf("got %d bytes, want %d", len(got), want.Len())
	}
}

func TestPlayGoesOnIntoALiveSession(t *testing.T) {
	s := open(t)
	c := s.dial("echo", "Hello\n")
	id := s.await(1)[0].ID
	p := start(t, s.with("play", id.Short())...)
	p.out.until(`"Hello\n"`)
	io.WriteString(c, "still here\n")
	p.out.until(`← received  "still here\n"`)
	s.expect(c, "still here\n")
	c.Close()
	p.out.until("· closed    hung up")
	if code := p.exit(); code != exitOK {
		t.Errorf("got exit code %d, want %d", code, exitOK)
	}
}
