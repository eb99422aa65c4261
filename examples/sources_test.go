// The examples of the three-end protocol as they run: a source in C that a node views, and a reader in Node of a node's own
// sessions.
package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/session"
)

const limit = 60 * time.Second // of each wait

// node is one that runs, and who asks it over REST.
type node struct {
	*switchboard.Switchboard
	t     *testing.T
	token string
}

func newNode(t *testing.T, conf switchboard.Config) *node {
	t.Helper()
	conf.Data, conf.HTTP.Listen = t.TempDir(), "127.0.0.1:0"
	sb, err := switchboard.New(conf, switchboard.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	token, err := os.ReadFile(filepath.Join(conf.Data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	return &node{sb, t, strings.TrimSpace(string(token))}
}

// post asks over REST, and returns the status and the answer.
func (n *node) post(path string, body, answer any) int {
	n.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		n.t.Fatal(err)
	}
	r, err := http.NewRequest("POST", n.URL()+path, bytes.NewReader(text))
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+n.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		n.t.Fatal(err)
	}
	return resp.StatusCode
}

// follow reads a session's events until it is over, or done says so.
func (n *node) follow(id session.ID, done func(session.Event) bool) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	e, err := n.Hub().Events(ctx, id, 1)
	if err != nil {
		n.t.Fatal(err)
	}
	defer e.Close()
	for {
		batch, err := e.Next(ctx)
		for _, ev := range batch {
			if done(ev) {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			n.t.Fatal(err)
		}
	}
}

// run starts a program, whose output it returns. It ends with the test.
func run(t *testing.T, name string, args ...string) *bufio.Reader {
	t.Helper()
	cmd := exec.Command(name, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return bufio.NewReader(out)
}

// sourceInC builds the source and runs it, and returns its address.
func sourceInC(t *testing.T, args ...string) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Fatalf("%v: .ci/deps installs what the tests need", err)
	}
	program := filepath.Join(t.TempDir(), "source")
	out, err := exec.Command(cc, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O2", "-o", program, "source-c/source.c").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	line, err := run(t, program, append([]string{"-p", "0"}, args...)...).ReadString('\n')
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line)
	if err != nil || address == "" {
		t.Fatalf("it says %q, %v; want where it listens", line, err)
	}
	return address
}

type answer struct {
	ID      session.ID
	Code    int
	Message string
	Error   string
}

func TestTheSourceInCIsSeenKickedAndPlayedBack(t *testing.T) {
	n := newNode(t, switchboard.Config{Sources: []switchboard.SourceConfig{{Name: "plant", Kinds: map[string]string{"ssh": sourceInC(t, "-t", "10")}, Linger: "1m"}}})
	ref := map[string]string{"session": "ssh:demo"}
	var opened, again answer
	if status := n.post("/api/v1/sources/open", ref, &opened); status != http.StatusCreated {
		t.Fatalf("got %d, %+v; want 201", status, opened)
	}
	lines, keys := "", 0
	n.follow(opened.ID, func(e session.Event) bool {
		switch e.Kind {
		case session.Sent:
			lines += string(e.Data)
		case session.Received:
			keys++
		}
		if keys == 1 { // two look at one connection
			if n.post("/api/v1/sources/open", ref, &again); again.ID != opened.ID {
				t.Errorf("got %s, want %s for the second who looks", again.ID, opened.ID)
			}
			keys++
		}
		return keys > 3
	})
	if !strings.Contains(lines, "你好") || !strings.Contains(lines, "demo: line 1 ✓") {
		t.Errorf("got %.400q, want its greeting and its lines", lines)
	}
	var kicked answer
	if status := n.post("/api/v1/sources/kick", ref, &kicked); status != http.StatusOK || kicked.Code != 3 || kicked.Message != "会话已结束！" {
		t.Errorf("got %d, %+v; want code 3", status, kicked)
	}
	var end session.End
	n.follow(opened.ID, func(e session.Event) bool {
		return e.Kind == session.Closed && json.Unmarshal(e.Data, &end) == nil
	})
	if end.Cause != session.Kicked || end.Code != 3 {
		t.Errorf("got %+v, want kicked, code 3", end)
	}
	screen, err := n.Hub().Screen(context.Background(), opened.ID, math.MaxUint64)
	if err != nil || screen.Size.String() != "80x24" || !bytes.Contains(screen.Data, []byte("demo: line")) {
		t.Errorf("got %s, %.200q, %v of the recording; want its last screen", screen.Size, screen.Data, err)
	}
	var gone answer
	if status := n.post("/api/v1/sources/open", ref, &gone); status != http.StatusNotFound || gone.Code != 5 {
		t.Errorf("got %d, %+v of what was kicked; want 404, code 5", status, gone)
	}
}

func TestTheSourceInCTellsThatASessionIsOver(t *testing.T) {
	n := newNode(t, switchboard.Config{Sources: []switchboard.SourceConfig{{Name: "plant", Kinds: map[string]string{"ssh": sourceInC(t, "-t", "20", "-n", "30")}, Linger: "1m"}}})
	var opened answer
	if status := n.post("/api/v1/sources/open", map[string]string{"session": "plant/ssh:2"}, &opened); status != http.StatusCreated {
		t.Fatalf("got %d, %+v; want 201", status, opened)
	}
	var end session.End
	n.follow(opened.ID, func(e session.Event) bool { return e.Kind == session.Closed && json.Unmarshal(e.Data, &end) == nil })
	if end.Cause != session.Done || end.Code != 5 {
		t.Errorf("got %+v, want done, code 5", end)
	}
}

func TestTheReaderInNodeShowsASessionOfASourceServerAndKicksIt(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatalf("%v: .ci/deps installs what the tests need", err)
	}
	n := newNode(t, switchboard.Config{Listeners: []switchboard.ListenerConfig{
		{Name: "door", Listen: "tcp://127.0.0.1:0", Service: "echo", Reply: "plain", Terminal: "100x30"},
		{Name: "ours", Listen: "tcp://127.0.0.1:0", Service: "source-server"}}})
	c, err := net.Dial("tcp", n.Addr("door").String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	say := func(text string) {
		t.Helper()
		io.WriteString(c, text)
		if _, err := io.CopyN(io.Discard, c, int64(len(text))); err != nil {
			t.Fatal(err)
		}
	}
	say("before 中文\r\n")
	id := ""
	n.Hub().EachLive(func(s *hub.Session) bool { id = string(s.ID()); return false })
	port := fmt.Sprint(n.Addr("ours").(*net.TCPAddr).Port)
	out := run(t, "node", "source-node/read.js", port, id)
	seen := ""
	await := func(text string) {
		t.Helper()
		for b := make([]byte, 4096); !strings.Contains(seen, text); {
			k, err := out.Read(b)
			if seen += string(b[:k]); err != nil {
				t.Fatalf("%v instead of %q behind %q", err, text, seen)
			}
		}
	}
	await("before 中文")
	if !strings.HasPrefix(seen, "\x1b[8;30;100t") {
		t.Errorf("got %.40q first, want the size", seen)
	}
	for i := range 200 {
		say(fmt.Sprintf("\r\nline %d 好的", i))
	}
	await("line 199 好的")
	kicked, err := io.ReadAll(run(t, "node", "source-node/read.js", "--kick", "127.0.0.1:"+port, id))
	if err != nil || !strings.HasPrefix(string(kicked), "会话已结束！ (code 3") {
		t.Errorf("got %q, %v of the kick; want code 3", kicked, err)
	}
	await("会话已结束！ (code 3")
	again, err := io.ReadAll(run(t, "node", "source-node/read.js", port, id))
	if err != nil || !strings.Contains(string(again), "会话已结束！ (code 5") {
		t.Errorf("got %q, %v of what is over; want code 5", again, err)
	}
}

// The reader's Frames mean the same wherever the stream was split.
func TestTheFramesInNodeSurviveAnySplit(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatalf("%v: .ci/deps installs what the tests need", err)
	}
	const script = `
const { Frames } = require('./source-node/read.js');
const stream = Buffer.from('v\0\0\0\x0580x24' + 'd\0\0\0\x06中文' + 'i\0\0\0\x01x' + 'd\0\0\0\0' + 'v\0\0\0\x061000x1' + '5behind');
const told = (pieces) => {
  const heard = [];
  const frames = new Frames({
    data: (type, bytes) => bytes.forEach((b) => heard.push(type + b)),
    view: (cols, rows) => heard.push(cols + 'x' + rows),
    control: (code) => heard.push('control ' + code),
  });
  for (const piece of pieces) frames.feed(piece);
  return heard.join();
};
const want = ['80x24', ...[...Buffer.from('中文')].map((b) => 'd' + b), 'i120', '1000x1', 'control 5'].join();
for (let i = 0; i <= stream.length; i++)
  for (let j = i; j <= stream.length; j++) {
    const got = told([stream.subarray(0, i), stream.subarray(i, j), stream.subarray(j)]);
    if (got !== want) throw new Error('split at ' + i + ' and ' + j + ': got ' + got + ', want ' + want);
  }
if (told([...stream].map((b) => Buffer.from([b]))) !== want) throw new Error('byte by byte');
for (const bad of ['x', 'd\xff\0\0\0', 'v\0\0\0\x01x', 'v\0\0\0\x0a0000000000'])
  try {
    told([Buffer.from(bad, 'latin1')]);
    console.log('taken:', JSON.stringify(bad));
  } catch {}
`
	out, err := exec.Command("node", "-e", script).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
