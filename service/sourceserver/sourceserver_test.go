package sourceserver_test

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/sink"
	"github.com/switchboard-relay/switchboard/service/sourceserver"
	"github.com/switchboard-relay/switchboard/session"
)

func TestAViewerSeesTheScreenThenWhatComesAndTheEnd(t *testing.T) {
	h := newHouse(t, nil)
	f := h.begin(h.terminals)
	f.shows("中文 before\r\n")
	a := h.ask(view(string(f.ID())))
	if got := a.next(); got != "v:80x24" {
		t.Fatalf("got %q first, want the size", got)
	}
	if screen := a.next(); !strings.HasPrefix(screen, "d:") || !strings.Contains(screen, "中文 before") {
		t.Fatalf("got %q second, want the screen", screen)
	}
	f.shows("live")
	a.await("d:live")
	f.types("ls\r")
	a.await("i:ls\r")
	f.Resize(100, 30)
	a.await("v:100x30")
	f.shows("behind")
	a.await("d:behind")
	f.conn.Close()
	seen := a.await("5")
	a.expect()
	if end := h.end(a); end.Cause != session.Done || !strings.Contains(end.Detail, string(f.ID())) {
		t.Errorf("got %+v, %q; want done, and which session ended", end, seen)
	}
	if list := h.events(f.ID()); !slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(s, `watched:{"by":"ours from 127.0.0.1:`) }) {
		t.Errorf("got %q, want who watched on record", list)
	}
}

func TestAKickIsToldAsThreeToWhoeverViewsAndToWhoeverKicks(t *testing.T) {
	h := newHouse(t, nil)
	for _, addr := range []string{h.terminals, h.bytes} {
		f := h.begin(addr)
		f.shows("here")
		a := h.ask(view(string(f.ID())))
		a.await("d:here")
		k := h.ask(kick(string(f.ID())))
		k.expect("3")
		a.await("3")
		a.expect()
		end := f.Ended()
		if want := "source-server ours, from " + k.conn.LocalAddr().String(); end == nil || end.Cause != session.Kicked || end.By != want {
			t.Errorf("got %+v, want kicked by %s", end, want)
		}
		again := h.ask(kick(string(f.ID())))
		again.expect("5")
	}
}

func TestASessionWithoutATerminalIsShownFromWhatPassedLast(t *testing.T) {
	h := newHouse(t, nil)
	f := h.begin(h.bytes)
	for i := range 200 {
		f.shows(fmt.Sprintf("%03d%s", i, strings.Repeat("x", 1000)))
	}
	f.types("said")
	a := h.ask(view(string(f.ID())))
	seen := a.await("i:said")
	if total := len(strings.Join(seen, "")); total > 66<<10 || total < 60<<10 || !strings.HasPrefix(seen[len(seen)-2], "d:199x") {
		t.Errorf("got %d bytes, the first %.6q, the last %.6q; want up to 64 KiB, to the newest", total, seen[0], seen[len(seen)-2])
	}
	f.shows("comes")
	a.await("d:comes")
	f.conn.Close()
	a.expect("5")
}

func TestASessionThatIsNotRecordedIsShownFromNowOn(t *testing.T) {
	h := newHouse(t, nil)
	for _, terminal := range []string{"", "80x24"} {
		f := h.begin(h.listen(hub.ListenerConfig{Name: "dark" + terminal, Service: "sink", Terminal: terminal, Record: session.RecordOff}, &sink.Service{}))
		f.shows(strings.Repeat("before", 50_000))
		a := h.ask(view(string(f.ID())))
		h.until("it is watched", func() bool { return f.Watchers() == 1 })
		for i := range 3 {
			f.shows(fmt.Sprintf("comes %d", i))
			a.await(fmt.Sprintf("d:comes %d", i))
		}
		f.types("said")
		a.await("i:said")
		if _, err := h.hub.KickAnswered(t.Context(), f.ID(), "grace", ""); err != nil {
			t.Error(err)
		}
		a.await("3")
		a.expect()
	}
}

func TestASessionIsNamedByItsIDItsBeginningOrItsName(t *testing.T) {
	h := newHouse(t, nil)
	older, newer, other := h.begin(h.terminals), h.begin(h.terminals), h.begin(h.bytes)
	older.SetName("door")
	newer.SetName("door")
	other.SetName(string(older.ID())[:4]) // a name goes before the beginning of an id
	older.shows("older")
	newer.shows("newer")
	other.shows("other")
	for id, want := range map[string]string{string(older.ID()): "older", older.ID().Short(): "older", string(newer.ID())[:6]: "newer", "door": "newer",
		string(older.ID())[:4]: "other"} {
		h.ask(view(id)).await("d:" + want)
	}
	ambiguous, begun := "", map[byte]bool{}
	for ambiguous == "" {
		id := h.begin(h.bytes).ID()
		if begun[id[0]] {
			ambiguous = string(id[:1])
		}
		begun[id[0]] = true
	}
	a := h.ask(kick(ambiguous))
	a.expect("5")
	if end := h.end(a); end.Cause != session.Refused || !strings.Contains(end.Detail, "give more characters") {
		t.Errorf("got %+v, want one that asks for more", end)
	}
}

func TestOnlyWhatIsOfferedIsSeenAndKicked(t *testing.T) {
	h := newHouse(t, func(svc *sourceserver.Service) { svc.Listeners = []string{"terminals"} })
	shown, hidden := h.begin(h.terminals), h.begin(h.bytes)
	hidden.SetName("hidden")
	h.ask(view(string(hidden.ID()))).expect("5")
	h.ask(view("hidden")).expect("5")
	h.ask(kick(hidden.ID().Short())).expect("5")
	if hidden.Ended() != nil {
		t.Errorf("got %+v, want a session that lives", hidden.Ended())
	}
	a := h.ask(view(string(shown.ID())))
	a.await("v:80x24")
	own := h.live(func(s *hub.Session) bool {
		return s.Info().Listener == "ours" && s.RemoteAddr().String() == a.conn.LocalAddr().String()
	})
	h.ask(view(string(own.ID()))).expect("5")
}

func TestAllButSourceServersIsOfferedWithoutAList(t *testing.T) {
	h := newHouse(t, nil)
	f := h.begin(h.terminals)
	a := h.ask(view(string(f.ID())))
	a.await("v:80x24")
	own := h.live(func(s *hub.Session) bool { return s.RemoteAddr().String() == a.conn.LocalAddr().String() })
	h.ask(view(string(own.ID()))).expect("5")
	h.ask(kick(string(own.ID()))).expect("5")
}

func TestAViewersRoleMayNotKick(t *testing.T) {
	h := newHouse(t, func(svc *sourceserver.Service) { svc.ViewOnly = true })
	f := h.begin(h.terminals)
	a := h.ask(kick(string(f.ID())))
	a.expect("5")
	if end := h.end(a); end.Cause != session.Refused || !strings.Contains(end.Detail, "role is viewer") || f.Ended() != nil {
		t.Errorf("got %+v, and %v of the session; want refused, and nil", end, f.Ended())
	}
	h.ask(view(string(f.ID()))).await("v:80x24")
}

func TestWhoIsNotAllowedIsRefused(t *testing.T) {
	h := newHouse(t, func(svc *sourceserver.Service) { svc.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	f := h.begin(h.terminals)
	a := h.ask(view(string(f.ID())))
	a.expect("5")
	if end := h.end(a); end.Cause != session.Refused || !strings.Contains(end.Detail, "not in allow") {
		t.Errorf("got %+v, want refused", end)
	}
	open := newHouse(t, func(svc *sourceserver.Service) { svc.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	f = open.begin(open.terminals)
	open.ask(view(string(f.ID()))).await("v:80x24")
}

func TestARequestMayComeInAnyPieces(t *testing.T) {
	h := newHouse(t, nil)
	f := h.begin(h.terminals)
	f.SetName("door")
	for _, end := range []string{"", "\n", "\r\n", "\x00"} {
		a := h.ask("")
		for _, piece := range append(strings.Split(view(""), ""), "door", end) { // the id whole: a pause in it would end it
			if _, err := io.WriteString(a.conn, piece); err != nil {
				t.Fatal(err)
			}
		}
		a.await("v:80x24")
	}
	half := h.ask(view("door"))
	if err := half.conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	half.await("v:80x24")
	f.shows("still there")
	half.await("d:still there")
	k := h.ask(kick("door"))
	k.conn.CloseWrite()
	k.expect("3")
	half.await("3")
	half.expect()
}

func TestAWrongRequestIsAnsweredFive(t *testing.T) {
	h := newHouse(t, nil)
	h.begin(h.terminals)
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "[flag]=2&[sessionid]=x", "\x16\x03\x01\x02", "[flag]=0&[sessionid]=" + strings.Repeat("a", 5000),
		strings.Repeat("[", 50_000), view("no such session"), view("x"), kick("中"), view("a\x1b[2J"), "[flag]=0&[sessionid]=\n"} {
		a := h.ask(text)
		a.expect("5")
		if end := h.end(a); end.Cause != session.Refused || end.Detail == "" {
			t.Errorf("%.30q: got %+v, want refused, and why", text, end)
		}
	}
	gone := h.ask("[flag]=0&[sess") // who leaves in the middle of it is answered nothing
	gone.conn.CloseWrite()
	if rest, err := io.ReadAll(gone.r); len(rest) > 0 || err != nil {
		t.Errorf("got %q, %v; want the end", rest, err)
	}
}

func TestNothingStaysBehindOfThoseWhoCameAndWent(t *testing.T) {
	h := newHouse(t, nil)
	f := h.begin(h.terminals)
	for i := range 240 { // of 256 who may come to look on within a minute
		a := h.ask(view(string(f.ID())))
		switch i % 3 {
		case 0:
			a.await("v:80x24")
		case 1:
			a.conn.SetLinger(0)
		}
		a.conn.Close()
	}
	h.until("nobody watches any more", func() bool { return f.Watchers() == 0 })
	h.until("none of their sessions is left", func() bool {
		n := 0
		h.hub.EachLive(func(*hub.Session) bool { n++; return true })
		return n == 1
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := h.hub.Kick(ctx, f.ID(), "test", ""); err != nil {
		t.Fatal(err)
	}
}
