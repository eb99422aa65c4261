package source_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/source"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

func TestASourcesSessionIsASession(t *testing.T) {
	h := newHouse(t, nil)
	o := h.open(t.Context(), "ssh:42")
	l := h.origin.next(false, "42")
	stream := threeend.AppendView(nil, 120, 40)
	stream = threeend.AppendFrame(stream, threeend.Display, []byte("hello "))
	stream = threeend.AppendFrame(stream, threeend.Display, []byte("中"))
	stream = threeend.AppendFrame(stream, threeend.Input, []byte("ls\r"))
	stream = threeend.AppendView(stream, 120, 40) // as before
	stream = threeend.AppendView(stream, 100, 30)
	stream = threeend.AppendView(stream, 100, 30)
	stream = append(stream, '5')
	for _, b := range stream[:11] {
		l.say([]byte{b})
	}
	l.say(stream[11:])
	s := o.opened()
	l.closed()
	end := ended(t, s)
	if end.Cause != session.Done || end.Code != 5 || end.Detail != "the source says that the session is over (code 5)" {
		t.Errorf("it ended as %+v", end)
	}
	all := h.record(s.ID())
	sent, received := "", ""
	var sizes []string
	for _, e := range all {
		switch e.Kind {
		case session.Sent:
			sent += string(e.Data)
		case session.Received:
			received += string(e.Data)
		case session.Resized:
			sizes = append(sizes, string(e.Data))
		}
	}
	if sent != "hello 中" || received != "ls\r" || strings.Join(sizes, " ") != "100x30" {
		t.Errorf("on record are sent %q, received %q, sizes %v", sent, received, sizes)
	}
	sum, err := h.hub.Find(t.Context(), string(s.ID()))
	if err != nil || sum.Name != "ssh:42" || sum.Listener != "plant" || sum.Service != "source" || sum.Transport != "tcp" ||
		sum.Remote != h.origin.address() || sum.Terminal != "120x40" || sum.Code != 5 {
		t.Errorf("the session is %+v, %v", sum, err)
	}
	o.release()
}

func TestAnEmptyFrameIsAnAnswer(t *testing.T) {
	h := newHouse(t, nil)
	o := h.open(t.Context(), "plant/ssh:42")
	h.origin.next(false, "42").show("")
	if got := o.opened().Info().Terminal; got != "80x24" {
		t.Errorf("the terminal has %s; want the configured size", got)
	}
	o.release()
}

func TestAllWhoViewASessionShareOneConnection(t *testing.T) {
	h := newHouse(t, nil)
	var all []*opening
	for range 20 {
		all = append(all, h.open(t.Context(), "ssh:42"))
	}
	l := h.origin.next(false, "42")
	until(t, "all wait", func() bool { return h.sources.Waiting("plant", "ssh:42") == 20 })
	l.show("x")
	all = append(all, h.open(t.Context(), "plant/ssh:42"))
	s := all[0].opened()
	for _, o := range all {
		if o.opened() != s {
			t.Fatal("they have different sessions")
		}
	}
	for _, o := range all[1:] {
		o.release()
		o.release() // counts once
	}
	l.show("still here")
	events := h.watch(s, "still here")
	all[0].release()
	l.show("watched")
	h.watch(s, "watched").Close()
	if st := h.status(); st.Sessions != 1 || st.Opened != 1 || st.Failed != 0 || st.Kinds[0].Sessions != 1 ||
		st.Kinds[0].State != threeend.Reachable || st.Kinds[0].Address != h.origin.address() {
		t.Errorf("the source is %+v", st)
	}
	events.Close()
	l.closed()
	if end := ended(t, s); end.Cause != session.Done || end.Detail != "nobody watches any more" || end.Code != 5 {
		t.Errorf("it ended as %+v", end)
	}
	if len(h.origin.asked) != 0 {
		t.Error("the source was asked more than once")
	}
}

func TestWhoLeavesWhileItIsDialledHarmsNoOther(t *testing.T) {
	h := newHouse(t, nil)
	stays := h.open(t.Context(), "ssh:42")
	ctx, leave := context.WithCancel(t.Context())
	leaves := h.open(ctx, "ssh:42")
	l := h.origin.next(false, "42")
	until(t, "both wait", func() bool { return h.sources.Waiting("plant", "ssh:42") == 2 })
	leave()
	if leaves.wait(); !errors.Is(leaves.err, context.Canceled) {
		t.Errorf("who left got %v", leaves.err)
	}
	l.show("x")
	stays.opened()
	stays.release()
	l.closed()
}

func TestTheLastWhoLeavesTakesTheDialAway(t *testing.T) {
	h := newHouse(t, nil)
	ctx, leave := context.WithCancel(t.Context())
	first, second := h.open(ctx, "ssh:42"), h.open(ctx, "ssh:42")
	l := h.origin.next(false, "42")
	until(t, "both wait", func() bool { return h.sources.Waiting("plant", "ssh:42") == 2 })
	leave()
	first.wait()
	second.wait()
	l.closed()
	again := h.open(t.Context(), "ssh:42")
	h.origin.next(false, "42").show("x")
	again.opened()
	again.release()
	if st := h.status(); st.Failed != 0 || st.Kinds[0].LastError != "" {
		t.Errorf("what viewers gave up counts against the source: %+v", st)
	}
}

func TestAPageThatIsLoadedAgainKeepsItsSession(t *testing.T) {
	h := newHouse(t, func(c *source.Config) { c.Linger = time.Hour })
	o := h.open(t.Context(), "ssh:42")
	l := h.origin.next(false, "42")
	l.show("x")
	s := o.opened()
	o.release()
	again := h.open(t.Context(), "ssh:42")
	if again.opened() != s || s.Ended() != nil {
		t.Error("it is another session")
	}
	again.release()
}

func TestWhoComesAsASessionEndsGetsALiveOne(t *testing.T) {
	h := newHouse(t, nil)
	go func() { // a source that answers everybody at once
		for l := range h.origin.asked {
			l.Write(threeend.AppendFrame(nil, threeend.Display, []byte("x")))
		}
	}()
	var crowd sync.WaitGroup
	for range 16 {
		crowd.Go(func() {
			for range 30 {
				s, release, err := h.sources.Open(t.Context(), ref("ssh:42"), "ada")
				if err != nil {
					t.Error(err)
					return
				}
				if e := s.Ended(); e != nil {
					t.Errorf("it had ended: %v", e)
				}
				release()
			}
		})
	}
	crowd.Wait()
	until(t, "nothing is left", func() bool { return h.sources.Held() == 0 })
	if st := h.status(); st.Sessions != 0 || st.Failed != 0 {
		t.Errorf("left is %+v", st)
	}
}

func TestWhoCannotSeeASessionIsToldWhy(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(l *line)
		want   string
		code   int
		asked  bool
	}{
		"over":        {func(l *line) { l.say([]byte{'5'}) }, "plant/ssh:42: the session is over, or there is no such session", 5, true},
		"kicked":      {func(l *line) { l.say([]byte{'3'}) }, "plant/ssh:42: the session was ended by a kick", 3, true},
		"closed":      {func(l *line) { l.Close() }, "the source closed the connection without an answer", 5, false},
		"half":        {func(l *line) { l.say([]byte("d\x00")); l.Close() }, "the source closed the connection in the midst of a frame", 5, false},
		"reset":       {func(l *line) { l.cut() }, "the connection to the source broke: connection reset by peer", 5, false},
		"bad type":    {func(l *line) { l.say([]byte("x")) }, `'x' (0x78) is no type of a frame`, 5, false},
		"bad length":  {func(l *line) { l.say([]byte("d\xff\xff\xff\xff")) }, "at most 16777216 are allowed", 5, false},
		"silent":      {func(l *line) {}, "the source did not answer within 1s", 5, false},
		"half header": {func(l *line) { l.say([]byte("d\x00\x00")) }, "the source did not answer within 1s", 5, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(c *source.Config) {
				if strings.HasPrefix(name, "silent") || name == "half header" {
					c.AnswerTimeout = time.Second
				}
			})
			first, second := h.open(t.Context(), "ssh:42"), h.open(t.Context(), "ssh:42")
			l := h.origin.next(false, "42")
			until(t, "both wait", func() bool { return h.sources.Waiting("plant", "ssh:42") == 2 })
			c.answer(l)
			for _, o := range []*opening{first, second} {
				var over *threeend.OverError
				if o.wait(); !errors.As(o.err, &over) || over.Answer.Code != c.code || over.Asked != c.asked ||
					over.Answer.Message != "会话已结束！" || !strings.Contains(o.err.Error(), c.want) {
					t.Errorf("told is %+v, %v; want %q", over, o.err, c.want)
				}
			}
			if name != "closed" && name != "half" && name != "reset" {
				l.closed()
			}
			st := h.status()
			if st.Failed != 1 || st.Sessions != 0 || st.Kinds[0].State != threeend.Reachable || (st.Kinds[0].LastError == "") != c.asked {
				t.Errorf("the source is %+v", st)
			}
			if l := h.hub.Listeners()[0]; l.Refused != 1 || len(l.Refusals) != 1 || l.Accepted != 0 || l.Live != 0 {
				t.Errorf("the listener counts %+v", l)
			}
			if n := h.sources.Held(); n != 0 {
				t.Errorf("%d things are held", n)
			}
		})
	}
}

func TestASourceThatIsNotThereIsTriedUntilItIs(t *testing.T) {
	origin := newOriginAt(t, "127.0.0.77:0") // where nobody else takes the port meanwhile
	address := origin.address()
	h := newHouse(t, func(c *source.Config) { c.Retry, c.Kinds = time.Millisecond, map[string]string{"ssh": address} })
	origin.ln.Close()
	o := h.open(t.Context(), "ssh:42").wait()
	var over *threeend.OverError
	want := fmt.Sprintf("plant/ssh:42: nothing listens at %s: the connection was refused", address)
	if !errors.As(o.err, &over) || over.Answer.Code != 5 || o.err.Error() != want {
		t.Fatalf("told is %v; want %s", o.err, want)
	}
	st := h.status()
	if k := st.Kinds[0]; k.State != threeend.Unreachable || !strings.Contains(want, k.LastError) || k.Since == 0 || k.Checked == 0 {
		t.Errorf("the address is %+v", k)
	}
	newOriginAt(t, address)
	until(t, "it is reachable", func() bool { return h.status().Kinds[0].State == threeend.Reachable })
}

// Waits that were doubled without a limit became negative behind half an hour, and a source that was down was dialled without a pause.
func TestASourceThatStaysAwayIsNotTriedFasterAndFaster(t *testing.T) {
	for _, most := range []time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour} {
		wait := time.Duration(0)
		for n := range 1000 {
			next := source.Longer(wait, most)
			if next < wait || next <= 0 || next > most || n > 40 && next != most {
				t.Fatalf("the %d. wait is %v behind %v; at most %v", n, next, wait, most)
			}
			wait = next
		}
	}
}

func TestHowASessionEndsSaysWhy(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(l *line)
		want session.End
	}{
		"over":   {func(l *line) { l.say([]byte{'5'}) }, session.End{Cause: session.Done, Detail: "the source says that the session is over (code 5)", Code: 5}},
		"kicked": {func(l *line) { l.say([]byte{'3'}) }, session.End{Cause: session.Kicked, Detail: "the source ended it by a kick (code 3)", Code: 3}},
		"closed": {func(l *line) { l.Close() }, session.End{Cause: session.HungUp, Code: 5,
			Detail: "the source closed the connection without saying how the session ended (code 5)"}},
		"half": {func(l *line) { l.say([]byte("d\x00\x00\x00\x05abc")); l.Close() }, session.End{Cause: session.HungUp, Code: 5,
			Detail: "the source closed the connection in the midst of a frame (code 5)"}},
		"reset": {func(l *line) { l.cut() }, session.End{Cause: session.Reset, Code: 5,
			Detail: "the connection to the source broke: connection reset by peer (code 5)"}},
		"bad": {func(l *line) { l.say([]byte("v\x00\x00\x00\x030x1")) }, session.End{Cause: session.Failed, Code: 5,
			Detail: "the source sent what is not the three-end protocol at byte 6: \"0x1\" is no view's size: COLSxROWS was expected, each from 1 to 1000 (code 5)"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			o := h.open(t.Context(), "ssh:42")
			l := h.origin.next(false, "42")
			l.show("x")
			s := o.opened()
			events := h.watch(s, "x")
			defer events.Close()
			c.do(l)
			got := ended(t, s)
			got.Time = 0
			if got != c.want {
				t.Errorf("it ended as %+v; want %+v", got, c.want)
			}
			all := h.record(s.ID())
			if last := string(all[len(all)-1].Data); !strings.Contains(last, fmt.Sprintf(`"code":%d`, c.want.Code)) {
				t.Errorf("the last event is %s", last)
			}
			o.release()
		})
	}
}

func TestNothingIsSentToASource(t *testing.T) {
	h := newHouse(t, nil)
	o := h.open(t.Context(), "ssh:42")
	h.origin.next(false, "42").show("x")
	s := o.opened()
	if err := h.hub.Send(t.Context(), s.ID(), "ada", []byte("x")); !errors.Is(err, hub.ErrCannotSend) {
		t.Errorf("sending: %v", err)
	}
	if err := h.hub.Type(t.Context(), s.ID(), "ada", []byte("x")); !errors.Is(err, hub.ErrCannotType) || !strings.Contains(err.Error(), "session of a source") {
		t.Errorf("typing: %v", err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, hub.ErrCannotSend) {
		t.Errorf("writing: %v", err)
	}
	o.release()
}

func TestAReferenceMeansOneSource(t *testing.T) {
	h := newHouse(t, nil)
	other := h.conf
	other.Name, other.Kinds = "annex", map[string]string{"ssh": "127.0.0.1:1", "telnet": "127.0.0.1:1"}
	h.configure(h.conf, other)
	for text, want := range map[string]string{
		"rdp:1":          `there is no such source: none has the kind "rdp"; annex has ssh, telnet; plant has ssh`,
		"nowhere/ssh:1":  `there is no such source: none is called "nowhere"; annex has ssh, telnet; plant has ssh`,
		"plant/telnet:1": `there is no such source: plant has no kind "telnet"; annex has ssh, telnet; plant has ssh`,
	} {
		for _, err := range []error{h.open(t.Context(), text).wait().err, kickErr(h, text)} {
			if !errors.Is(err, threeend.ErrNoSource) || err.Error() != want {
				t.Errorf("%s: %v; want %s", text, err, want)
			}
		}
	}
	var ambiguous *threeend.AmbiguousError
	if err := h.open(t.Context(), "ssh:1").wait().err; !errors.As(err, &ambiguous) || strings.Join(ambiguous.Sources, " ") != "annex plant" {
		t.Errorf("ssh:1: %v", err)
	}
	if _, _, err := h.sources.Open(t.Context(), threeend.Ref{Kind: "telnet", ID: "a\n"}, ""); !errors.Is(err, threeend.ErrBadRef) {
		t.Errorf("an id with a line's end: %v", err)
	}
	o := h.open(t.Context(), "plant/ssh:1")
	h.origin.next(false, "1").show("x")
	o.opened()
	o.release()
}

func kickErr(h *house, text string) error {
	_, err := h.sources.Kick(context.Background(), ref(text), "ada", "")
	return err
}

func TestTooManySessionsAreRefused(t *testing.T) {
	h := newHouse(t, func(c *source.Config) { c.MaxSessions, c.MaxDials = 2, 1 })
	first := h.open(t.Context(), "ssh:1")
	h.origin.next(false, "1").show("x")
	first.opened()
	second := h.open(t.Context(), "ssh:2")
	l := h.origin.next(false, "2")
	third := h.open(t.Context(), "ssh:3").wait()
	if !errors.Is(third.err, threeend.ErrBusy) || !strings.Contains(third.err.Error(), "max_sessions") {
		t.Errorf("the third: %v", third.err)
	}
	l.show("x")
	second.opened()
	first.release()
	until(t, "there is place", func() bool { return h.status().Sessions == 1 })
	fourth := h.open(t.Context(), "ssh:4")
	h.origin.next(false, "4").show("x")
	fourth.opened()
	second.release()
	fourth.release()
}

func TestMoreDialsWaitTheirTurn(t *testing.T) {
	h := newHouse(t, func(c *source.Config) { c.MaxDials = 1 })
	first := h.open(t.Context(), "ssh:1")
	l := h.origin.next(false, "1")
	second := h.open(t.Context(), "ssh:2")
	until(t, "it waits", func() bool { return h.sources.Waiting("plant", "ssh:2") == 1 })
	l.show("x")
	first.opened()
	h.origin.next(false, "2").show("x")
	second.opened()
	h.conf.AnswerTimeout = time.Second
	h.configure(h.conf)
	third := h.open(t.Context(), "ssh:3")
	h.origin.next(false, "3")
	fourth := h.open(t.Context(), "ssh:4")
	if third.wait(); third.err == nil {
		t.Error("the third was answered by nobody")
	}
	var over *threeend.OverError
	if fourth.wait(); !errors.Is(fourth.err, threeend.ErrBusy) && !errors.As(fourth.err, &over) {
		t.Errorf("the fourth: %v", fourth.err)
	}
	first.release()
	second.release()
}

func TestReloadEndsWhatIsGoneAndLeavesTheRest(t *testing.T) {
	h := newHouse(t, nil)
	other := h.conf
	other.Name = "annex"
	h.configure(h.conf, other)
	open := func(text string) (*hub.Session, *line) {
		t.Helper()
		o := h.open(t.Context(), text)
		l := h.origin.next(false, text[strings.IndexByte(text, ':')+1:])
		l.show("x")
		return o.opened(), l
	}
	stays, _ := open("plant/ssh:1")
	goes, l := open("annex/ssh:2")
	dialled := h.open(t.Context(), "annex/ssh:3")
	half := h.origin.next(false, "3")
	moved := newOrigin(t)
	h.conf.Kinds = map[string]string{"ssh": moved.address()}
	h.configure(h.conf)
	if end := ended(t, goes); end.Cause != session.Shutdown || end.Detail != "its source was taken out of the configuration" || end.Code != 5 {
		t.Errorf("it ended as %+v", end)
	}
	l.closed()
	half.closed()
	if dialled.wait(); dialled.err == nil {
		t.Error("a source that is gone opened a session")
	}
	if stays.Ended() != nil {
		t.Errorf("the other ended: %v", stays.Ended())
	}
	fresh := h.open(t.Context(), "ssh:4")
	moved.next(false, "4").show("x")
	fresh.opened()
	if st := h.sources.Status(); len(st) != 1 || st[0].Sessions != 2 || st[0].Kinds[0].Sessions != 1 {
		t.Errorf("there are %+v", st)
	}
	if err := h.sources.Configure([]source.Config{h.conf, {Name: "annex", Kinds: map[string]string{"x": "127.0.0.1:1"}, MaxDials: 1}}); err != nil {
		t.Errorf("it does not come back: %v", err)
	}
	l2, err := h.hub.Listener(hub.ListenerConfig{Name: "taken"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l2.Close()
	if err := h.sources.Configure([]source.Config{h.conf, {Name: "taken"}}); err == nil {
		t.Error("a source has the name of a listener")
	}
}

func TestThereIsNoSessionWhereItCannotBeRecorded(t *testing.T) {
	h := newHouse(t, func(c *source.Config) { c.Record = session.RecordStrict; c.OnFailure = session.OnFailureEnd })
	o := h.open(t.Context(), "ssh:42")
	l := h.origin.next(false, "42")
	l.say(threeend.AppendFrame(nil, threeend.Input, []byte("typed")))
	s := o.opened()
	h.watch(s, "typed").Close()
	o.release()
	l.closed()
}

var _ net.Conn = (*line)(nil)
