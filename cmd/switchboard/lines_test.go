package main

import (
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

const lineStart = int64(1_800_000_000_000_000)

// shown gives what a view with these flags writes of events that come 0.1 s apart, with offsets for stamps.
func shown(t *testing.T, flags viewFlags, datagrams bool, events ...session.Event) string {
	t.Helper()
	var out strings.Builder
	v := newView(&out, flags, lineStart, datagrams)
	for i, ev := range events {
		ev.Number, ev.Time = uint64(i+1), lineStart+int64(i)*100_000
		if err := v.event(ev); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func received(s string) session.Event { return session.Event{Kind: session.Received, Data: []byte(s)} }
func sent(s string) session.Event     { return session.Event{Kind: session.Sent, Data: []byte(s)} }

func TestEventsAreShownWithArrowsAndVisibleControlCharacters(t *testing.T) {
	kick := session.End{Cause: session.Kicked, By: "ops", Reason: "noise"}
	got := shown(t, viewFlags{Direction: "both"}, false, sent("Hello\n"), received("中文\x1b[31m\x00\r\n"),
		session.Event{Kind: session.Closed, Data: session.JSON(kick)})
	want := `   0:00.000 → sent      "Hello\n"
   0:00.100 ← received  "中文\x1b[31m\x00\r\n"
   0:00.200 · closed    kicked by ops: noise
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLinesOfTextStandBelowEachOther(t *testing.T) {
	got := shown(t, viewFlags{Direction: "both"}, false, received("one\ntwo\n"), received("three\nfour"))
	want := `   0:00.000 ← received  "one\n"
                        "two\n"
   0:00.100 ← received  "three\n"
                        "four"
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestACharacterThatComesInPiecesIsShownWhole(t *testing.T) {
	got := shown(t, viewFlags{Direction: "both"}, false,
		received("a\xe4"), sent("b"), received("\xb8\xadc"), received("\xe4\xb8"),
		session.Event{Kind: session.Closed, Data: session.JSON(session.End{Cause: session.HungUp})})
	want := `   0:00.000 ← received  "a" …
   0:00.100 → sent      "b"
   0:00.200 ← received  "中c"
   0:00.300 ← received  "" …
   0:00.300 ← received  "\xe4\xb8"
   0:00.400 · closed    hung up
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestADatagramIsShownByItself(t *testing.T) {
	got := shown(t, viewFlags{Direction: "both"}, true, received("a\xe4"), received("\xb8\xad"), received(""))
	want := `   0:00.000 ← received  "a\xe4"
   0:00.100 ← received  "\xb8\xad"
   0:00.200 ← received  ""
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestARoomsMessagesAreShownWithWhoSaidThem(t *testing.T) {
	said := session.RoomMessage{Offset: 7, From: "4tq9m2xk7bfd-n1", Bytes: []byte("hi\n")}
	message := session.Event{Kind: session.Message, Data: said.Append(nil)}
	got := shown(t, viewFlags{Direction: "both"}, false, message)
	if want := "   0:00.000 · message   4tq9m2xk7bfd \"hi\\n\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := shown(t, viewFlags{Direction: "both", Raw: true}, false, message); got != "hi\n" {
		t.Errorf("raw: got %q, want what was said", got)
	}
}

func TestHexAndRawAndOneDirection(t *testing.T) {
	got := shown(t, viewFlags{Direction: "received", Hex: true}, false, sent("no"), received("0123456789abcdef\xff"))
	want := `   0:00.100 ← received  17 bytes
00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|
00000010  ff                                                |.|
`
	if got != want {
		t.Errorf("hex: got\n%s\nwant\n%s", got, want)
	}
	got = shown(t, viewFlags{Direction: "both", Raw: true}, false,
		sent("a\x00"), session.Event{Kind: session.Noted, Data: []byte("n")}, received("\xff\n"))
	if want := "a\x00\xff\n"; got != want {
		t.Errorf("raw: got %q, want %q", got, want)
	}
}

func TestWhatAFarEndSaysCannotCommandATerminal(t *testing.T) {
	for _, kind := range []session.Kind{session.Named, session.Noted, session.Resized, session.Unsent, session.Closed} {
		ev := session.Event{Kind: kind, Data: []byte("x\x1b]0;title\a\u202e")}
		got := shown(t, viewFlags{Direction: "both"}, false, ev)
		if strings.ContainsAny(got, "\x1b\a\u202e") {
			t.Errorf("%s: got %q", kind, got)
		}
	}
	if got := string(visible([]byte("ok 中\t\r\n\x1b[2J\xff\r"))); got != "ok 中\t\r\n"+`\x1b[2J\xff\r` {
		t.Errorf("visible: got %q", got)
	}
}
