package switchboard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/session"
)

// start runs a node with the listeners, each on a free port.
func start(t *testing.T, dir string, listeners ...switchboard.ListenerConfig) *switchboard.Switchboard {
	t.Helper()
	conf := switchboard.Config{Data: dir, HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"}, Listeners: listeners}
	sb, err := switchboard.New(conf, switchboard.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	return sb
}

func dial(t *testing.T, network string, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial(network, addr.String())
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { c.Close() })
	return c
}

func expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

// sessions waits until n sessions are in the state.
func sessions(t *testing.T, sb *switchboard.Switchboard, state session.State, n int) []session.Summary {
	t.Helper()
	var list []session.Summary
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var err error
		if list, err = sb.Hub().List(context.Background(), state, index.Filter{}); err != nil {
			t.Fatal(err)
		}
		if len(list) == n {
			return list
		}
	}
	t.Fatalf("%d sessions are %s; want %d", len(list), state, n)
	return nil
}

// members waits until n live sessions have joined a room: a session is listed a moment before it joins.
func members(t *testing.T, sb *switchboard.Switchboard, n int) {
	t.Helper()
	for _, sum := range sessions(t, sb, session.Live, n) {
		await(t, sb, sum.ID, session.Joined)
	}
}

// await reads a session's events until one of that kind comes.
func await(t *testing.T, sb *switchboard.Switchboard, id session.ID, k session.Kind) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	e, err := sb.Hub().Events(ctx, id, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for {
		batch, err := e.Next(ctx)
		for _, ev := range batch {
			if ev.Kind == k {
				return
			}
		}
		if err != nil {
			t.Fatalf("session %s: %v, and no event %q before", id, err, k)
		}
	}
}

func bytesOf(t *testing.T, sb *switchboard.Switchboard, id session.ID, k session.Kind) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	e, err := sb.Hub().Events(ctx, id, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var b bytes.Buffer
	for {
		batch, err := e.Next(ctx)
		for _, ev := range batch {
			if ev.Kind == k {
				b.Write(ev.Data)
			}
		}
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestARoomSpansTransportsAndIsRecordedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat.sock")
	sb := start(t, t.TempDir(),
		switchboard.ListenerConfig{Name: "tcp", Listen: "tcp://127.0.0.1:0", Service: "room", Room: "chat"},
		switchboard.ListenerConfig{Name: "udp", Listen: "udp://127.0.0.1:0", Service: "room", Room: "chat"},
		switchboard.ListenerConfig{Name: "unix", Listen: "unix://" + path, Service: "room", Room: "chat",
			ExcludeSender: true})
	tcp := dial(t, "tcp", sb.Addr("tcp"))
	members(t, sb, 1)
	udp := dial(t, "udp", sb.Addr("udp"))
	udp.Write([]byte("from udp "))
	expect(t, udp, "from udp ")
	expect(t, tcp, "from udp ")
	unix, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	members(t, sb, 3)
	unix.Write([]byte("from unix "))
	expect(t, tcp, "from unix ")
	expect(t, udp, "from unix ")
	tcp.Write([]byte("from \x00tcp\xff"))
	expect(t, tcp, "from \x00tcp\xff")
	expect(t, udp, "from \x00tcp\xff")
	expect(t, unix, "from \x00tcp\xff") // its own was left out
	tcp.Close()
	ended := sessions(t, sb, session.Recorded, 1)[0]
	got, want := bytesOf(t, sb, ended.ID, session.Sent), "from udp from unix from \x00tcp\xff"
	if got != want || ended.SentBytes != uint64(len(want)) {
		t.Errorf("the member's record gives %q, %d bytes; want %q", got, ended.SentBytes, want)
	}
	rooms, err := sb.Hub().List(context.Background(), session.Live, index.Filter{Transport: "room"})
	if err != nil || len(rooms) != 1 {
		t.Fatalf("rooms %v, %v; want the one", rooms, err)
	}
	if rooms[0].Events != 4 {
		t.Errorf("the room's recording has %d events; want opened and each message once", rooms[0].Events)
	}
}

func TestWhatAReaderHoldsOfARoomStaysAsItWas(t *testing.T) {
	sb := start(t, t.TempDir(), switchboard.ListenerConfig{Name: "chat", Listen: "tcp://127.0.0.1:0", Service: "room", Room: "chat"},
		switchboard.ListenerConfig{Name: "echo", Listen: "tcp://127.0.0.1:0", Service: "echo", Reply: "plain"})
	c := dial(t, "tcp", sb.Addr("chat"))
	members(t, sb, 1)
	io.WriteString(c, "first ")
	expect(t, c, "first ")
	list, err := sb.Hub().List(t.Context(), session.Live, index.Filter{Transport: "tcp"})
	if err != nil || len(list) != 1 {
		t.Fatalf("sessions %v, %v; want the one", list, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	events, err := sb.Hub().Events(ctx, list[0].ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	var held, want []byte
	for !bytes.Contains(held, []byte("first")) {
		batch, err := events.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range batch {
			if ev.Kind == session.Sent {
				held, want = ev.Data, bytes.Clone(ev.Data)
			}
		}
	}
	// Until the room's recording has gone to disk, and what it lay in is used again.
	more := bytes.Repeat([]byte("much more "), 100)
	for range 20 {
		c.Write(more)
		expect(t, c, string(more))
	}
	for range 100 {
		other := dial(t, "tcp", sb.Addr("echo"))
		io.WriteString(other, "other")
		expect(t, other, "other")
	}
	if !bytes.Equal(held, want) {
		t.Errorf("what was %q is now %q", want, held)
	}
}

func TestAMemberThatReadsTooSlowlyEndsAsSlowAndHarmsNobody(t *testing.T) {
	sb := start(t, t.TempDir(), switchboard.ListenerConfig{Name: "chat", Listen: "tcp://127.0.0.1:0", Service: "room",
		WriteLimit: "64KiB"})
	stuck := dial(t, "tcp", sb.Addr("chat"))
	members(t, sb, 1)
	talker := dial(t, "tcp", sb.Addr("chat"))
	members(t, sb, 2)
	block := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	for {
		if _, err := talker.Write(block); err != nil {
			t.Fatal(err)
		}
		expect(t, talker, string(block))
		if list := mustList(t, sb, session.Recorded); len(list) == 1 {
			if list[0].Cause != session.Slow {
				t.Errorf("the stuck member ended as %q; want slow", list[0].Cause)
			}
			break
		}
	}
	if _, err := io.Copy(io.Discard, stuck); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the stuck member: %v; want the end of its connection", err)
	}
}

func mustList(t *testing.T, sb *switchboard.Switchboard, state session.State) []session.Summary {
	t.Helper()
	list, err := sb.Hub().List(context.Background(), state, index.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAReloadKeepsTheConnectionsOfListenersThatStay(t *testing.T) {
	stays := switchboard.ListenerConfig{Name: "stays", Listen: "tcp://127.0.0.1:0", Service: "echo", Greeting: "one",
		Reply: "plain"}
	goes := switchboard.ListenerConfig{Name: "goes", Listen: "tcp://127.0.0.1:0", Service: "sink", Greeting: "bye"}
	dir := t.TempDir()
	sb := start(t, dir, stays, goes)
	old := dial(t, "tcp", sb.Addr("stays"))
	expect(t, old, "one")
	gone := dial(t, "tcp", sb.Addr("goes"))
	expect(t, gone, "bye")
	stays.Greeting = "two"
	added := switchboard.ListenerConfig{Name: "added", Listen: "tcp://127.0.0.1:0", Service: "sink", Greeting: "new"}
	conf := switchboard.Config{Data: dir, HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Listeners: []switchboard.ListenerConfig{stays, added}}
	if err := sb.Reload(conf); err != nil {
		t.Fatal(err)
	}
	old.Write([]byte("still here"))
	expect(t, old, "still here")
	expect(t, dial(t, "tcp", sb.Addr("stays")), "two")
	expect(t, dial(t, "tcp", sb.Addr("added")), "new")
	if b, err := io.ReadAll(gone); len(b) > 0 || err != nil {
		t.Errorf("a client of the listener that is gone got %q, %v; want the end", b, err)
	}
	if ended := sessions(t, sb, session.Recorded, 1)[0]; ended.Cause != session.Shutdown {
		t.Errorf("its session ended as %q; want shutdown", ended.Cause)
	}
	conf.Node = "other"
	if err := sb.Reload(conf); err == nil || !strings.Contains(err.Error(), "restart") {
		t.Errorf("Reload with another node name: %v; want it to say that a restart is needed", err)
	}
}

func TestASessionOfATerminalSaysHowLargeItIs(t *testing.T) {
	line := switchboard.ListenerConfig{Name: "line", Listen: "tcp://127.0.0.1:0", Service: "sink", Terminal: "80x24"}
	dir := t.TempDir()
	sb := start(t, dir, line)
	first := dial(t, "tcp", sb.Addr("line"))
	began := sessions(t, sb, session.Live, 1)[0]
	line.Terminal = "132x43"
	if err := sb.Reload(switchboard.Config{Data: dir, HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Listeners: []switchboard.ListenerConfig{line}}); err != nil {
		t.Fatal(err)
	}
	dial(t, "tcp", sb.Addr("line"))
	for _, sum := range sessions(t, sb, session.Live, 2) {
		if want := map[bool]string{true: "80x24", false: "132x43"}[sum.ID == began.ID]; sum.Terminal != want {
			t.Errorf("%s has a terminal of %q; want %s", sum.ID, sum.Terminal, want)
		}
	}
	first.Close()
	if ended := sessions(t, sb, session.Recorded, 1)[0]; ended.Terminal != "80x24" {
		t.Errorf("once recorded it has a terminal of %q; want 80x24", ended.Terminal)
	}
}

func TestAnAddressInUseNamesTheListenerAndLeavesNothingBehind(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	_, err = switchboard.New(switchboard.Config{Data: dir, HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Listeners: []switchboard.ListenerConfig{{Name: "line", Listen: "tcp://" + taken.Addr().String(), Service: "sink"}}})
	if err == nil || !strings.Contains(err.Error(), `listener "line"`) ||
		!strings.Contains(err.Error(), "already in use") {
		t.Errorf("New: %v; want one that names the listener and says what to do", err)
	}
	start(t, dir) // the folder is free again
}

func TestTheConnectionsOfAnyGoServerAreSessions(t *testing.T) {
	sb := start(t, t.TempDir())
	ln, err := sb.Listen("tcp", "127.0.0.1:0", "web", switchboard.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			<-r.Context().Done()
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d", r.URL.Path, len(body))
	})}
	go srv.Serve(ln) // ends with Close
	defer srv.Close()
	client := &http.Client{Timeout: 20 * time.Second}
	resp, err := client.Post("http://"+ln.Addr().String()+"/upload", "text/plain",
		strings.NewReader(strings.Repeat("x", 300_000)))
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(answer) != "/upload 300000" {
		t.Errorf("answer %q", answer)
	}
	live := sessions(t, sb, session.Live, 1)[0]
	waiting := make(chan error, 1)
	go func() {
		// A POST with a body is not tried again.
		resp, err := client.Post("http://"+ln.Addr().String()+"/wait", "text/plain", strings.NewReader("x"))
		if err == nil {
			resp.Body.Close()
		}
		waiting <- err
	}()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if list := mustList(t, sb, session.Live); len(list) > 0 && list[0].ReceivedBytes > live.ReceivedBytes {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the second request is not on record")
		}
	}
	if err := sb.Hub().Kick(context.Background(), live.ID, "ann", ""); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; err == nil {
		t.Error("the request outlived the kick")
	}
	ended := sessions(t, sb, session.Recorded, 1)[0]
	received := bytesOf(t, sb, ended.ID, session.Received)
	if ended.Cause != session.Kicked || !strings.HasPrefix(received, "POST /upload HTTP/1.1\r\n") {
		t.Errorf("ended as %q; want kicked, with the request on the record", ended.Cause)
	}
}

func TestProgramsThatNobodyHereWroteWork(t *testing.T) {
	sb := start(t, t.TempDir(),
		switchboard.ListenerConfig{Name: "hello", Listen: "tcp://127.0.0.1:0", Service: "sink", Greeting: "Hello client!"},
		switchboard.ListenerConfig{Name: "echo", Listen: "tcp://127.0.0.1:0", Service: "echo", Greeting: "Hello\n"})
	_, hello, _ := net.SplitHostPort(sb.Addr("hello").String())
	_, echo, _ := net.SplitHostPort(sb.Addr("echo").String())
	node := `const s=require("net").connect(` + echo + `,"127.0.0.1");let got="";
		s.on("data",d=>{got+=d;if(got.includes("server reply: \u4f60\u597d\n"))s.end()});
		s.on("connect",()=>s.write("\u4f60\u597d"));s.on("close",()=>process.stdout.write(got))`
	for _, c := range []struct {
		program, stdin string
		args           []string
		want           []string
	}{
		{"nc", "", []string{"-N", "127.0.0.1", hello}, []string{"Hello client!"}},
		{"nc", "typed", []string{"-N", "127.0.0.1", echo}, []string{"Hello\n", " - server reply: typed\n"}},
		{"node", "", []string{"-e", node}, []string{"Hello\n", " - server reply: 你好\n"}},
		{"curl", "", []string{"-sf", sb.URL() + "/healthz"}, []string{`"status":"ok"`}},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		cmd := exec.CommandContext(ctx, c.program, c.args...)
		cmd.Stdin = strings.NewReader(c.stdin)
		out, err := cmd.CombinedOutput()
		cancel()
		for _, want := range c.want {
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("%s %v: %v, printed %q; want %q", c.program, c.args, err, out, want)
			}
		}
	}
}

// loopbackName is a name, other than localhost, that this machine has for a loopback address.
func loopbackName(t *testing.T) string {
	t.Helper()
	names := []string{"ip6-localhost", "ip6-loopback", "localhost.localdomain", "localhost4"}
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	for _, name := range names {
		addrs, err := net.LookupHost(name)
		foreign := func(addr string) bool { return !net.ParseIP(addr).IsLoopback() }
		if err == nil && len(addrs) > 0 && !slices.ContainsFunc(addrs, foreign) {
			return name
		}
	}
	t.Skipf("none of %v is a name of a loopback address here", names)
	return ""
}

func TestRESTAnswersUnderTheNameThatItIsConfiguredWith(t *testing.T) {
	name := loopbackName(t)
	sb, err := switchboard.New(switchboard.Config{Data: t.TempDir(),
		HTTP: switchboard.HTTPConfig{Listen: name + ":0", Insecure: true}},
		switchboard.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	defer sb.Close()
	for host, want := range map[string]int{name: http.StatusOK, strings.ToUpper(name): http.StatusOK,
		"localhost": http.StatusOK, "example.com": http.StatusForbidden} {
		r, err := http.NewRequest(http.MethodGet, sb.URL()+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("Host: %s: %d; want %d", host, resp.StatusCode, want)
		}
	}
}
