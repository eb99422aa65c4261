package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/session"
)

// station is a real server with its data folder, and what tests do with it.
type station struct {
	t    *testing.T
	sb   *switchboard.Switchboard
	conf switchboard.Config
}

// open starts a server with an echo, a sink, a chat and a datagram listener, on free ports.
func open(t *testing.T) *station {
	t.Helper()
	conf := switchboard.Config{
		Data: t.TempDir(),
		HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Listeners: []switchboard.ListenerConfig{
			{Name: "echo", Listen: "tcp://127.0.0.1:0", Service: "echo", Greeting: "Hello\n", Reply: "plain"},
			{Name: "hello", Listen: "tcp://127.0.0.1:0", Service: "sink", Greeting: "Hello client!"},
			{Name: "chat", Listen: "tcp://127.0.0.1:0", Service: "room", Room: "chat"},
			{Name: "sensors", Listen: "udp://127.0.0.1:0", Service: "sink", Idle: "60s"},
		},
	}
	s := &station{t: t, conf: conf}
	s.start()
	return s
}

func (s *station) start() {
	s.t.Helper()
	sb, err := switchboard.New(s.conf, switchboard.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		s.t.Fatal(err)
	}
	s.sb = sb
	s.t.Cleanup(func() { sb.Close() })
}

// dial connects to a listener and reads its greeting.
func (s *station) dial(listener, greeting string) net.Conn {
	s.t.Helper()
	addr := s.sb.Addr(listener)
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if greeting != "" {
		s.expect(c, greeting)
	}
	return c
}

// expect reads exactly want.
func (s *station) expect(c net.Conn, want string) {
	s.t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		s.t.Fatalf("from the listener: got %q, %v, want %q", got[:n], err, want)
	}
}

// ended waits for the listener to close the connection.
func (s *station) ended(c net.Conn) {
	s.t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
		s.t.Fatalf("the connection does not end: %v", err)
	}
}

// with adds the data folder to a command line.
func (s *station) with(args ...string) []string { return append(args, "--data", s.conf.Data) }

// do runs a command that has to succeed and returns its output.
func (s *station) do(args ...string) string {
	s.t.Helper()
	code, out, said := runOnce(s.t, s.with(args...)...)
	if code != exitOK {
		s.t.Fatalf("%q: exit code %d: %s", args, code, said)
	}
	return out
}

// refuses runs a command that has to fail and returns what it says.
func (s *station) refuses(args ...string) string {
	s.t.Helper()
	code, _, said := runOnce(s.t, s.with(args...)...)
	if code != exitFailed || !strings.HasPrefix(said, "switchboard: ") || strings.Count(said, "\n") != 1 {
		s.t.Errorf("%q: got exit code %d, %q; want %d and one line", args, code, said, exitFailed)
	}
	return said
}

// list is ls --json.
func (s *station) list(args ...string) []session.Summary {
	s.t.Helper()
	var list []session.Summary
	out := s.do(append([]string{"ls", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		s.t.Fatalf("ls --json: %v in %s", err, out)
	}
	return list
}

// await lists until the list is as long as it should be.
func (s *station) await(n int, args ...string) []session.Summary {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		list := s.list(args...)
		if len(list) == n {
			return list
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("ls %q: got %d sessions, want %d: %+v", args, len(list), n, list)
		}
	}
}

// spoken makes a session in which the far end says some things to the echo, and hangs up.
func (s *station) spoken(words ...string) session.ID {
	s.t.Helper()
	c := s.dial("echo", "Hello\n")
	for _, word := range words {
		io.WriteString(c, word)
		s.expect(c, word)
	}
	remote := c.LocalAddr().String()
	c.Close()
	return s.await(1, "--recorded", "--remote", remote)[0].ID
}

func TestSessionsAreListedLiveAndRecorded(t *testing.T) {
	s := open(t)
	if out := s.do("ls", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("no sessions: got %q, want an empty array", out)
	}
	recorded := s.spoken("one\n")
	live := s.dial("hello", "Hello client!")
	list := s.await(2)
	if list[0].State != session.Live || list[0].Cause != "" || list[0].Listener != "hello" ||
		list[0].Remote != live.LocalAddr().String() {
		t.Errorf("the live one comes first: got %+v", list[0])
	}
	past := list[1]
	if past.ID != recorded || past.Cause != session.HungUp || past.ReceivedBytes != 4 || past.SentBytes != 10 {
		t.Errorf("the recorded one: got %+v", past)
	}
	var fields []map[string]any
	if err := json.Unmarshal([]byte(s.do("ls", "--json")), &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id", "listener", "name", "remote", "state", "cause"} {
		for i := range fields {
			if _, there := fields[i][name]; !there {
				t.Errorf("session %d has no %q: %v", i, name, fields[i])
			}
		}
	}
	for _, c := range []struct {
		args []string
		n    int
	}{
		{[]string{"--live"}, 1}, {[]string{"--recorded"}, 1},
		{[]string{"--listener", "echo"}, 1}, {[]string{"--listener", "ech"}, 0},
		{[]string{"--transport", "udp"}, 0}, {[]string{"--transport", "tcp"}, 2}, {[]string{"--cause", "hung up"}, 1},
		{[]string{"--cause", "kicked"}, 0}, {[]string{"--remote", "127.0.0.1"}, 2}, {[]string{"--name", "nobody"}, 0},
		{[]string{"--since", "1h"}, 2}, {[]string{"--until", "1h"}, 0}, {[]string{"--limit", "1"}, 1},
	} {
		if list := s.list(c.args...); len(list) != c.n {
			t.Errorf("ls %q: got %d sessions, want %d", c.args, len(list), c.n)
		}
	}
}

func TestATableInAPipeIsPlainAndWhole(t *testing.T) {
	s := open(t)
	id := s.spoken("one\n")
	lines := strings.Split(s.do("ls"), "\n")
	if !strings.HasPrefix(lines[0], "ID            STATE    NAME") || strings.ContainsAny(lines[0], "\t\x1b") {
		t.Errorf("titles: got %q", lines[0])
	}
	want := regexp.MustCompile(`^` + id.Short() +
		` +hung up +echo +127\.0\.0\.1:\d+ +\d+m?s ago +\d+m?s +4 B +10 B +\d+$`)
	if !want.MatchString(lines[1]) {
		t.Errorf("row: got %q, want %s", lines[1], want)
	}
}

func TestAWatcherThatJoinsLateSeesAllOnceInOrder(t *testing.T) {
	s := open(t)
	c := s.dial("echo", "Hello\n")
	for i := range 100 {
		word := fmt.Sprintf("before %d\n", i)
		io.WriteString(c, word)
		s.expect(c, word)
	}
	id := s.await(1)[0].ID
	text := start(t, s.with("watch", id.Short())...)
	raw := start(t, s.with("watch", "--raw", "--direction", "received", id.Short())...)
	events := start(t, s.with("watch", "--json", string(id))...)
	late := start(t, s.with("watch", "--from", "now", id.Short())...)
	text.out.until(`"before 99\n"`)
	s.awaitWatchers(id, 4)
	for i := range 100 {
		word := fmt.Sprintf("after %d\n", i)
		io.WriteString(c, word)
		s.expect(c, word)
	}
	c.Close()
	var want strings.Builder
	for _, when := range []string{"before", "after"} {
		for i := range 100 {
			fmt.Fprintf(&want, "%s %d\n", when, i)
		}
	}
	if got := raw.out.rest(); got != want.String() {
		t.Errorf("--raw: got %q", got)
	}
	number := uint64(0)
	for line := range strings.Lines(events.out.rest()) {
		var ev session.Event
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatalf("--json: %v in %q", err, line)
		}
		if number++; ev.Number != number {
			t.Fatalf("--json: got event %d, want %d", ev.Number, number)
		}
	}
	got := text.out.rest()
	for i := range 100 {
		for _, arrow := range []string{"← received", "→ sent    "} {
			if line := fmt.Sprintf("%s  \"after %d\\n\"\n", arrow, i); strings.Count(got, line) != 1 {
				t.Errorf("%q is there %d times, want once", line, strings.Count(got, line))
			}
		}
	}
	if !strings.HasSuffix(got, "· closed    hung up\n") {
		t.Errorf("the last line says how it ended, got %q", got[max(0, len(got)-100):])
	}
	if got := late.out.rest(); strings.Contains(got, "before") || !strings.Contains(got, `"after 0\n"`) {
		t.Errorf("--from now: got %q", got)
	}
	for _, p := range []*program{text, raw, events, late} {
		if code := p.exit(); code != exitOK {
			t.Errorf("got exit code %d, want %d", code, exitOK)
		}
	}
}

// awaitWatchers waits until so many watch a session.
func (s *station) awaitWatchers(id session.ID, n int) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		sum, err := s.sb.Hub().Find(s.t.Context(), string(id))
		if err == nil && sum.Watchers == n {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d watchers, %v, want %d", sum.Watchers, err, n)
		}
	}
}

func TestCtrlCEndsAWatchWithoutComplaint(t *testing.T) {
	s := open(t)
	s.dial("hello", "Hello client!")
	p := start(t, s.with("watch", string(s.await(1)[0].ID))...)
	p.out.until("Hello client!")
	p.stop()
	if code, said := p.exit(), p.err.rest(); code != exitOK || said != "" {
		t.Errorf("got exit code %d, %q", code, said)
	}
}

func TestAWatchOutlivesTheServer(t *testing.T) {
	s := open(t)
	c := s.dial("echo", "Hello\n")
	io.WriteString(c, "before the stop\n")
	s.expect(c, "before the stop\n")
	p := start(t, s.with("watch", string(s.await(1)[0].ID))...)
	p.out.until(`→ sent      "before the stop\n"`)
	if err := s.sb.Close(); err != nil {
		t.Fatal(err)
	}
	s.start()
	if got := p.out.rest(); strings.Contains(got, "before") || !strings.HasSuffix(got, "· closed    shutdown\n") {
		t.Errorf("after the restart: got %q", got)
	}
	if code := p.exit(); code != exitOK {
		t.Errorf("got exit code %d, want %d", code, exitOK)
	}
}

func TestAKickEndsTheSessionAndIsTold(t *testing.T) {
	s := open(t)
	c := s.dial("hello", "Hello client!")
	id := s.await(1)[0].ID
	p := start(t, s.with("watch", string(id))...)
	p.out.until("Hello client!")
	if got, want := s.do("kick", id.Short(), "--reason", "maintenance"), string(id)+" kicked\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.ended(c)
	p.out.until("· closed    kicked by admin: maintenance\n")
	sum := s.await(1, "--recorded")[0]
	if sum.Cause != session.Kicked || sum.By != "admin" || sum.Reason != "maintenance" {
		t.Errorf("the record says %+v", sum)
	}
	if said := s.refuses("kick", id.Short()); !strings.Contains(said, "not live") {
		t.Errorf("a second kick: got %q", said)
	}
}

func TestSeveralAreKickedAndTheOneThatIsNotThereIsTold(t *testing.T) {
	s := open(t)
	a, b := s.dial("hello", "Hello client!"), s.dial("hello", "Hello client!")
	list := s.await(2)
	said := s.refuses("kick", list[0].ID.Short(), "zzzzzzzz", list[1].ID.Short())
	if !strings.Contains(said, "zzzzzzzz") {
		t.Errorf("got %q", said)
	}
	s.ended(a)
	s.ended(b)
}

func TestSentBytesReachTheFarEndUnchanged(t *testing.T) {
	s := open(t)
	c := s.dial("hello", "Hello client!")
	id := string(s.await(1)[0].ID)
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"plain 中文"}, "plain 中文"}, {[]string{"-e", `a\r\n\x00`}, "a\r\n\x00"},
		{[]string{"--hex", "ff 00 0a"}, "\xff\x00\n"},
	} {
		out := s.do(append([]string{"send", id}, step.args...)...)
		s.expect(c, step.want)
		if want := fmt.Sprintf("%d bytes sent to %s\n", len(step.want), id); out != want {
			t.Errorf("send %q: got %q, want %q", step.args, out, want)
		}
	}
	p := start(t, s.with("send", id, "-")...)
	big := strings.Repeat("x", 3<<20) + "end"
	go func() {
		io.WriteString(p.in, big)
		p.in.Close()
	}()
	s.expect(c, big)
	if got := p.out.next(); got != fmt.Sprintf("%d bytes sent to %s\n", len(big), id) {
		t.Errorf("from the standard input: got %q", got)
	}
}

func TestAnIDThatIsNotThereOrNotEnoughSaysSo(t *testing.T) {
	s := open(t)
	ids := map[byte][]session.ID{}
	var shared []session.ID
	for len(shared) == 0 {
		id := s.spoken("x")
		ids[id[0]] = append(ids[id[0]], id)
		if len(ids[id[0]]) > 1 {
			shared = ids[id[0]]
		}
	}
	said := s.refuses("watch", string(shared[0][:1]))
	for _, id := range shared {
		if !strings.Contains(said, string(id)) {
			t.Errorf("an ambiguous prefix lists the candidates: %s is not in %q", id, said)
		}
	}
	for _, args := range [][]string{{"watch", "zzzzzzzz"}, {"play", "zzzzzzzz"}, {"export", "zzzzzzzz"},
		{"send", "zzzzzzzz", "x"}, {"kick", "zzzzzzzz"}, {"pin", "zzzzzzzz"}, {"rm", "zzzzzzzz"}} {
		if said := s.refuses(args...); !strings.Contains(said, "zzzzzzzz") {
			t.Errorf("%q: got %q", args, said)
		}
	}
}

func TestAWrongTokenSaysHowToGiveTheRightOne(t *testing.T) {
	s := open(t)
	code, _, said := runOnce(t, "ls", "--server", s.sb.URL(), "--token", "wrong")
	if code != exitFailed || !strings.Contains(said, "give the right one with --token or SWITCHBOARD_TOKEN") {
		t.Errorf("got exit code %d, %q", code, said)
	}
	token, err := os.ReadFile(filepath.Join(s.conf.Data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SWITCHBOARD_SERVER", strings.TrimPrefix(s.sb.URL(), "http://"))
	t.Setenv("SWITCHBOARD_TOKEN", strings.TrimSpace(string(token)))
	if code, _, said := runOnce(t, "ls"); code != exitOK {
		t.Errorf("by the environment: got exit code %d, %q", code, said)
	}
}

func TestRecordingsArePinnedUnpinnedAndRemoved(t *testing.T) {
	s := open(t)
	id := s.spoken("keep me\n")
	if got := s.do("pin", id.Short()); got != string(id)+" pinned\n" {
		t.Errorf("pin: got %q", got)
	}
	if !s.list()[0].Pinned || !strings.Contains(s.do("ls"), "hung up, pinned") {
		t.Errorf("ls does not show the pin: %s", s.do("ls"))
	}
	if said := s.refuses("rm", id.Short()); !strings.Contains(said, "pinned") {
		t.Errorf("rm of a pinned one: got %q", said)
	}
	s.do("unpin", id.Short())
	if got := s.do("rm", id.Short()); got != string(id)+" removed\n" {
		t.Errorf("rm: got %q", got)
	}
	s.await(0)
}

func TestExportGivesTheExactBytes(t *testing.T) {
	s := open(t)
	id := s.spoken("one\x00\xff", "two\n")
	if got, want := s.do("export", id.Short()), "Hello\none\x00\xffone\x00\xfftwo\ntwo\n"; got != want {
		t.Errorf("both directions: got %q, want %q", got, want)
	}
	if got, want := s.do("export", id.Short(), "--direction", "received"), "one\x00\xfftwo\n"; got != want {
		t.Errorf("received: got %q, want %q", got, want)
	}
	for line := range strings.Lines(s.do("export", id.Short(), "--format", "jsonl")) {
		var ev session.Event
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Errorf("jsonl: %v in %q", err, line)
		}
	}
	if got := s.do("export", id.Short(), "-f", "hex"); !strings.Contains(got, "6f 6e 65 00 ff") {
		t.Errorf("hex: got %q", got)
	}
	file := filepath.Join(t.TempDir(), "session.bin")
	if out := s.do("export", id.Short(), "--direction", "sent", "-o", file); out != "" {
		t.Errorf("to a file: got output %q", out)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "Hello\none\x00\xfftwo\n" {
		t.Errorf("the file: got %q, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	said := s.refuses("export", id.Short(), "-o", filepath.Join(file, "x"))
	if !strings.Contains(said, "not a directory") {
		t.Errorf("where no file can be: got %q", said)
	}
}

func TestPlayInAPipeIsPlainAndInItsOwnTime(t *testing.T) {
	s := open(t)
	c := s.dial("echo", "Hello\n")
	for i := range 3 {
		<-time.After(200 * time.Millisecond) // the silences are what is played
		word := fmt.Sprintf("word %d\n", i)
		io.WriteString(c, word)
		s.expect(c, word)
	}
	c.Close()
	id := s.await(1, "--recorded")[0].ID
	timed := func(args ...string) (string, time.Duration) {
		began := time.Now()
		out := s.do(append([]string{"play", id.Short()}, args...)...)
		return out, time.Since(began)
	}
	out, took := timed()
	if took < 600*time.Millisecond || took > 2*time.Second {
		t.Errorf("600 ms of session took %v", took)
	}
	expectMatch(t, out, `(?s)^ +0:00\.0\d\d · opened .*→ sent      "Hello\\n"\n`+
		` +0:00\.2\d\d ← received  "word 0\\n"\n.*· closed    hung up\n$`)
	if _, took := timed("--speed", "1000"); took > 500*time.Millisecond {
		t.Errorf("a thousand times as fast took %v", took)
	}
	if _, took := timed("--idle", "10ms"); took > 500*time.Millisecond {
		t.Errorf("with its silences cut to 10 ms it took %v", took)
	}
	out, _ = timed("--speed", "1000", "--from", "300ms", "--raw", "--direction", "received")
	if out != "word 1\nword 2\n" {
		t.Errorf("from 300 ms: got %q", out)
	}
	number := 0
	for line := range strings.Lines(s.do("export", id.Short(), "-f", "jsonl")) {
		var ev session.Event
		if json.Unmarshal([]byte(line), &ev) == nil && string(ev.Data) == "word 2\n" && ev.Kind == session.Received {
			number = int(ev.Number)
		}
	}
	if out, _ := timed("--speed", "1000", "--from", "#"+strconv.Itoa(number), "--raw"); out != "word 2\nword 2\n" {
		t.Errorf("from event %d: got %q", number, out)
	}
	code, _, said := runOnce(t, s.with("play", id.Short(), "--from", "#999")...)
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

func TestTheMessagesOfARoomAreWatchedOnceEach(t *testing.T) {
	s := open(t)
	a, b := s.dial("chat", ""), s.dial("chat", "")
	s.await(2, "--live", "--listener", "chat")
	id := s.await(1, "--remote", b.LocalAddr().String())[0].ID
	p := start(t, s.with("watch", "--raw", "--direction", "sent", string(id))...)
	var want strings.Builder
	for i := range 200 {
		word := fmt.Sprintf("message %d\n", i)
		want.WriteString(word)
		io.WriteString(a, word)
		s.expect(b, word)
	}
	b.Close()
	if got := p.out.rest(); got != want.String() {
		t.Errorf("got %q", got)
	}
}

func TestVerifyFindsAFlippedBitAndSaysWhere(t *testing.T) {
	s := open(t)
	id := s.spoken("one\n")
	if err := s.sb.Close(); err != nil {
		t.Fatal(err)
	}
	if out := s.do("verify"); !strings.Contains(out, "were checked") {
		t.Errorf("nothing damaged: got %q", out)
	}
	var file string
	filepath.WalkDir(filepath.Join(s.conf.Data, "recordings"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			file = path
		}
		return err
	})
	damaged, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged[len(damaged)/4] ^= 0x10
	if err := os.WriteFile(file, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, said := runOnce(t, s.with("verify")...)
	if code != exitFailed || !strings.Contains(said, "damaged places: 1") || !strings.Contains(out, "at byte ") ||
		!strings.Contains(out, filepath.Base(file)) {
		t.Errorf("got exit code %d, %q, %q; the session is %s", code, out, said, id)
	}
}

func TestTheCurlLineOfTheManualShowsASession(t *testing.T) {
	s := open(t)
	id := s.spoken("one\n")
	token, err := os.ReadFile(filepath.Join(s.conf.Data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, s.sb.URL()+"/api/v1/sessions/"+string(id[:8])+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), `"text":"one\n"`) {
		t.Errorf("got %q, %v", body, err)
	}
}
