package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// answering is a server that has a function speak on each connection, and closes it then.
func answering(t *testing.T, speak func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); speak(c) }()
		}
	}()
	return "tcp://" + l.Addr().String()
}

// replay runs one that prints JSON.
func (s *station) replay(args ...string) (code int, got replayed) {
	s.t.Helper()
	code, out, said := runOnce(s.t, s.with(append([]string{"replay", "--json"}, args...)...)...)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		s.t.Fatalf("replay %q: exit code %d, %q, %q", args, code, out, said)
	}
	return code, got
}

// UnmarshalJSON reads hex digits.
func (h *hexa) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	data, err := parseHex(text)
	if text != "" {
		*h = data
		return err
	}
	return nil
}

func TestAReplayAgainstTheSameServerIsAnsweredTheSame(t *testing.T) {
	s := open(t)
	id := string(s.spoken("one\r\n", "two\x00\xff\r\n", strings.Repeat("x", 100_000)))
	target := "tcp://" + s.sb.Addr("echo").String()
	for _, flags := range [][]string{{"--fast"}, {"--speed", "1024"}, {"--max-wait", "1ms"}, {}} {
		code, got := s.replay(append([]string{id, target}, flags...)...)
		if code != exitOK || !got.Same || got.Sent != 100_012 || got.Expected != 100_018 || got.Answered != got.Expected || got.Compared != got.Expected || got.Differs != nil {
			t.Errorf("%q: exit code %d, %+v", flags, code, got)
		}
	}
	if out := s.do("replay", id, target, "--fast"); !strings.Contains(out, "100012 bytes sent in") || !strings.Contains(out, "\nthe answers are those on record: 100018 bytes\n") {
		t.Errorf("got %q", out)
	}
}

func TestAReplayTellsTheFirstDifference(t *testing.T) {
	s := open(t)
	id := string(s.spoken("one\r\n", "two\r\n"))
	buffer := func(change func(b []byte) []byte) string {
		return answering(t, func(c net.Conn) {
			io.WriteString(c, "Hello\n")
			b := make([]byte, 1000)
			for n, err := c.Read(b); err == nil; n, err = c.Read(b) {
				c.Write(change(bytes.Clone(b[:n])))
			}
		})
	}
	upper := buffer(bytes.ToUpper)
	code, out, said := runOnce(t, s.with("replay", id, upper, "--fast", "--timeout", "30s")...)
	want := "the answers differ at byte 6 of 16 on record:\n  on record  48 65 6c 6c 6f 0a | 6f 6e 65 0d 0a 74 77 6f 0d 0a\n  answered   48 65 6c 6c 6f 0a | 4f 4e 45 0d 0a 54 57 4f 0d 0a\n"
	if code != exitFailed || said != "" || !strings.HasSuffix(out, want) {
		t.Errorf("got exit code %d, %q\n%s\nwant\n%s", code, said, out, want)
	}
	for name, c := range map[string]struct {
		target             string
		offset             uint64
		expected, answered string
	}{
		"more":   {buffer(func(b []byte) []byte { return append(b, "!"...) }), 11, "two\r\n", "!two\r\n!"},
		"less":   {buffer(func(b []byte) []byte { return bytes.TrimSpace(b) }), 9, "\r\ntwo\r\n", "two"},
		"none":   {answering(t, func(c net.Conn) { io.Copy(io.Discard, c) }), 0, "Hello\none\r\ntwo\r\n", ""},
		"hangup": {answering(t, func(c net.Conn) { io.WriteString(c, "Hello\n") }), 6, "one\r\ntwo\r\n", ""},
		"behind": {answering(t, func(c net.Conn) { io.WriteString(c, "Hello\none\r\ntwo\r\nbye"); io.Copy(io.Discard, c) }), 16, "", "bye"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // some of them wait for answers that do not come
			s := &station{t: t, sb: s.sb, conf: s.conf}
			code, got := s.replay(id, c.target, "--fast", "--timeout", "2s")
			if code != exitFailed || got.Same || got.Differs == nil {
				t.Fatalf("exit code %d, %+v", code, got)
			}
			if d := got.Differs; d.Offset != c.offset || string(d.Expected) != c.expected || string(d.Answered) != c.answered || got.Compared != c.offset {
				t.Errorf("at %d %q for %q; want %d, %q for %q", d.Offset, d.Answered, d.Expected, c.offset, c.answered, c.expected)
			}
		})
	}
}

func TestAReplayKeepsItsTimeOrWaitsForAnswers(t *testing.T) {
	s := open(t)
	cast := `{"version":2,"width":80,"height":24,"timestamp":1700000000}` + "\n" + `[0.0,"o","Hello\n"]` + "\n" + `[0.1,"i","a"]` + "\n" + `[0.6,"i","b"]` + "\n" + `[0.6,"o","ab"]` + "\n"
	id, _, _ := strings.Cut(s.do("import", file(t, "two.cast", cast)), " ")
	target := "tcp://" + s.sb.Addr("echo").String()
	for _, c := range []struct {
		flags       []string
		least, most time.Duration
	}{{nil, 600 * time.Millisecond, time.Hour}, {[]string{"--speed", "4"}, 150 * time.Millisecond, time.Hour}, {[]string{"--max-wait", "50ms"}, 100 * time.Millisecond, time.Hour}} {
		began := time.Now()
		code, got := s.replay(append([]string{id, target}, c.flags...)...)
		if took := time.Since(began); code != exitOK || took < c.least || took > c.most {
			t.Errorf("%q: exit code %d, %v, %+v", c.flags, code, took, got)
		}
	}
	order := make(chan string, 10) // what the server had read when it answered
	code, got := s.replay(string(s.spoken("one", "two")), answering(t, func(c net.Conn) {
		io.WriteString(c, "Hello\n")
		b := make([]byte, 100)
		for n, err := c.Read(b); err == nil; n, err = c.Read(b) {
			order <- string(b[:n])
			c.Write(b[:n])
		}
	}), "--fast")
	if first, second := <-order, <-order; code != exitOK || !got.Same || first != "one" || second != "two" {
		t.Errorf("exit code %d; the server read %q, then %q", code, first, second)
	}
}

func TestDatagramsAreReplayedAndComparedOneByOne(t *testing.T) {
	s := open(t)
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	answer := func(data []byte) [][]byte { return [][]byte{data} }
	asked := make(chan func([]byte) [][]byte, 1)
	go func() { // ends with the socket
		b := make([]byte, 65_536)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			select {
			case answer = <-asked:
			default:
			}
			for _, data := range answer(b[:n]) {
				server.WriteTo(data, from)
			}
		}
	}()
	path := filepath.Join(t.TempDir(), "udp.pcapng")
	writeDatagrams(t, path, "ping", "", "pong")
	id, _, _ := strings.Cut(s.do("import", path), " ")
	target := "udp://" + server.LocalAddr().String()
	if code, got := s.replay(id, target, "--fast"); code != exitOK || !got.Same || got.Pieces != 3 || got.Compared != 8 {
		t.Errorf("the same: exit code %d, %+v", code, got)
	}
	asked <- func(data []byte) [][]byte { // the same bytes in other datagrams
		if string(data) == "pong" {
			return [][]byte{data[:2], data[2:]}
		}
		return [][]byte{data}
	}
	code, got := s.replay(id, target, "--fast", "--timeout", "2s")
	if code != exitFailed || got.Differs == nil || got.Differs.Datagram != 3 || got.Differs.Offset != 6 {
		t.Errorf("divided: exit code %d, %+v", code, got)
	}
	server.Close()
	if code, got := s.replay(id, target, "--fast", "--timeout", "2s"); code != exitFailed || got.Same || !strings.Contains(got.Broken, "refused") {
		t.Errorf("nobody there: exit code %d, %+v", code, got)
	}
}

func TestAReplayGoesOverUnixSocketsToo(t *testing.T) {
	s := open(t)
	id := string(s.spoken("one\r\n"))
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			io.WriteString(c, "Hello\n")
			io.Copy(c, c)
			c.Close()
		}
	}()
	if code, got := s.replay(id, "unix://"+path, "--fast"); code != exitOK || !got.Same {
		t.Errorf("exit code %d, %+v", code, got)
	}
}

func TestWhatCannotBeReplayedIsSaid(t *testing.T) {
	s := open(t)
	c := s.dial("echo", "Hello\n")
	live := string(s.await(1, "--live")[0].ID)
	target := answering(t, func(c net.Conn) {})
	if said := s.refuses("replay", live, target); !strings.Contains(said, "is live: replay it once it has ended") {
		t.Errorf("live: %q", said)
	}
	c.Close()
	id := string(s.await(1, "--recorded")[0].ID)
	if said := s.refuses("replay", id, "tcp://127.0.0.1:1"); !strings.Contains(said, "nothing listens there") {
		t.Errorf("nobody there: %q", said)
	}
	for _, args := range [][]string{{id, "nowhere"}, {id, target, "--speed", "0"}, {id, target, "--fast", "--speed", "2"}, {id, target, "--timeout", "0s"}, {id, target, "--insecure"}} {
		if code, _, said := runOnce(t, s.with(append([]string{"replay"}, args...)...)...); code != exitUsage {
			t.Errorf("%q: exit code %d, %q", args, code, said)
		}
	}
}

func TestAComparisonMindsBytesAndNotHowTheyCome(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 500 {
		want := make([]byte, 1+random.IntN(200))
		for i := range want {
			want[i] = byte(random.IntN(4))
		}
		got := bytes.Clone(want)
		differs := -1
		switch round % 3 {
		case 1:
			differs = random.IntN(len(got))
			got[differs] ^= 0x80
		case 2:
			differs = random.IntN(len(got))
			got = got[:differs]
		}
		var c comparison
		rest := [2][]byte{want, got}
		for len(rest[0])+len(rest[1]) > 0 {
			side := random.IntN(2)
			n := min(random.IntN(9), len(rest[side]))
			c.add(side == 1, rest[side][:n])
			rest[side] = rest[side][n:]
		}
		c.finish()
		switch {
		case differs < 0 && (c.differs != nil || c.same != uint64(len(want))):
			t.Fatalf("round %d: the same bytes differ: %+v", round, c.differs)
		case differs >= 0 && (c.differs == nil || c.differs.Offset != uint64(differs)):
			t.Fatalf("round %d: got %+v; want a difference at %d", round, c.differs, differs)
		case differs >= 0 && (!bytes.HasPrefix(want[differs:], c.differs.Expected) || !bytes.HasPrefix(got[differs:], c.differs.Answered) || !bytes.HasSuffix(want[:differs], c.differs.Before)):
			t.Fatalf("round %d: %+v is not what stands there: %x, %x", round, c.differs, want, got)
		}
	}
}

func TestWhatWasNeverSentNeedNotBeAnswered(t *testing.T) {
	var c comparison
	c.add(false, []byte("abc"))
	c.add(false, []byte("def"))
	c.add(true, []byte("ab"))
	c.unsend(2)
	if c.add(true, []byte("cd")); c.waiting() {
		t.Error("more is waited for")
	}
	if c.finish(); c.differs != nil || c.same != 4 {
		t.Errorf("got %+v", c.differs)
	}
	c = comparison{}
	c.add(false, []byte("abc"))
	c.unsend(3)
	if c.finish(); c.differs != nil || fmt.Sprint(c.expected.bytes) != "0" {
		t.Errorf("all of it: %+v", c)
	}
}
