package session_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

func TestAnEventComesBackFromItsJSON(t *testing.T) {
	for _, e := range []session.Event{
		{Number: 1, Time: 1_700_000_000_123_456, Kind: session.Opened, Data: session.JSON(session.Info{ID: "4tq9m2xk7bfd-n1",
			Name: "<中>"})},
		{Number: 2, Time: 1, Kind: session.Received, Data: []byte("text\x00\n\u2028")},
		{Number: 3, Time: 2, Kind: session.Sent, Data: []byte("\xff\xfe")},
		{Number: 1 << 63, Time: 3, Kind: session.ReceivedEnd},
		{Number: 5, Time: 4, Kind: session.Named, Data: []byte("8601")},
		{Number: 6, Time: 5, Kind: session.Message, Data: session.RoomMessage{Offset: 300, From: "x",
			Bytes: []byte{0x80}}.Append(nil)},
		{Number: 7, Time: 6, Kind: session.Closed, Data: session.JSON(session.End{Time: 6, Cause: session.Kicked,
			Reason: "a & b"})},
		{Number: 8, Time: 7, Kind: session.Typed, Data: session.AppendTyped(nil, "ada", []byte("ls\x00\r"))},
		{Number: 9, Time: 8, Kind: session.Typed, Data: session.AppendTyped(nil, "", []byte{0xff})},
		{Number: 10, Time: 9, Kind: session.Typed, Data: []byte("by nobody")},
		{Number: 11, Time: 9, Kind: session.Typed, Data: []byte("\xff\x00who")},
		{Number: 12, Time: 9, Kind: session.Watched, Data: session.JSON(session.Watch{By: "ada", Types: true, Left: true})},
	} {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back session.Event
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		if !reflect.DeepEqual(back, e) {
			t.Errorf("%s: got %+v; want %+v", b, back, e)
		}
	}
}

func TestAnEventShowsItsDataInTheFormThatFits(t *testing.T) {
	for _, c := range []struct {
		event session.Event
		want  string
	}{
		{session.Event{Number: 2, Kind: session.Received, Data: []byte("hi")}, `"kind":"received","text":"hi"}`},
		{session.Event{Number: 2, Kind: session.Sent, Data: []byte{0xff}}, `"kind":"sent","base64":"/w=="}`},
		{session.Event{Number: 2, Kind: session.SentEnd}, `"kind":"sent end"}`},
		{session.Event{Number: 2, Kind: session.Typed, Data: []byte("ada\x00ls\r")}, `"kind":"typed","by":"ada","text":"ls\r"}`},
		{session.Event{Number: 2, Kind: session.Gap, Data: []byte(`{"events":1}`)}, `"kind":"gap","value":{"events":1}}`},
		{session.Event{Number: 2, Kind: session.Gap, Data: []byte(`{"events`)}, `"kind":"gap","text":"{\"events"}`},
	} {
		b, err := json.Marshal(c.event)
		if want := `{"number":2,"time":"1970-01-01T00:00:00.000000Z",` + c.want; err != nil || string(b) != want {
			t.Errorf("got %s, %v; want %s", b, err, want)
		}
	}
}

func TestJSONThatIsNoEventIsRefused(t *testing.T) {
	for _, bad := range []string{``, `{}`, `[]`, `{"number":1,"time":"noon","kind":"sent"}`,
		`{"number":1,"time":"2026-01-01T00:00:00Z","kind":"sung"}`,
		`{"number":-1,"time":"2026-01-01T00:00:00Z","kind":"sent"}`,
		`{"number":1,"time":"2026-01-01T00:00:00Z","kind":"sent","base64":"!"}`} {
		var e session.Event
		if err := json.Unmarshal([]byte(bad), &e); err == nil {
			t.Errorf("%s is taken as %+v", bad, e)
		}
	}
}

func TestEveryKindHasANameOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for k := session.Opened; k <= session.Watched; k++ {
		name := k.String()
		back, err := session.ParseKind(name)
		if err != nil || back != k || seen[name] {
			t.Errorf("kind %d is %q, which names %d, %v", k, name, back, err)
		}
		seen[name] = true
	}
	for _, name := range []string{"", "Received", "kind 99"} {
		if k, err := session.ParseKind(name); err == nil {
			t.Errorf("%q names kind %d", name, k)
		}
	}
	if got := session.Kind(99).String(); got != "kind 99" {
		t.Errorf("kind 99 is called %q", got)
	}
}

func TestAnIDCarriesItsNodeAndIsUnlikeAllOthers(t *testing.T) {
	seen := map[session.ID]bool{}
	for range 10_000 {
		id := session.NewID("node1")
		if seen[id] {
			t.Fatalf("%s twice", id)
		}
		seen[id] = true
		if back, err := session.ParseID(string(id)); err != nil || back != id {
			t.Fatalf("ParseID(%s) = %s, %v", id, back, err)
		}
		if id.Node() != "node1" || len(id.Short()) != 12 || !strings.HasPrefix(string(id), id.Short()+"-") ||
			len(id) > session.MaxIDLen {
			t.Fatalf("%s: node %q, short %q", id, id.Node(), id.Short())
		}
	}
}

func TestWhatIsNoIDIsRefused(t *testing.T) {
	for _, bad := range []string{"", "-", "4tq9m2xk7bfd", "4tq9m2xk7bfd-", "4tq9m2xk7bf-n1", "4tq9m2xk7bfd0-n1",
		"4tq9m2xk7bfu-n1",
		"4TQ9M2XK7BFD-n1", "4tq9m2xk7bfd-N1", "4tq9m2xk7bfd-n_1", "../../../etc-n1", "4tq9m2xk7bfd-" + strings.Repeat("n",
			17), "4tq9m2xk7bfd-n1/x"} {
		if id, err := session.ParseID(bad); !errors.Is(err, session.ErrBadID) {
			t.Errorf("ParseID(%q) = %q, %v; want ErrBadID", bad, id, err)
		}
	}
}

func TestEveryCauseIsKnownByItsName(t *testing.T) {
	seen := map[session.Cause]bool{}
	for _, c := range session.Causes {
		if back, err := session.ParseCause(string(c)); err != nil || back != c || seen[c] {
			t.Errorf("cause %q: %q, %v", c, back, err)
		}
		seen[c] = true
	}
	if _, err := session.ParseCause("bored"); err == nil || !strings.Contains(err.Error(), "hung up") {
		t.Errorf("an unknown cause: %v; want an error that lists the known ones", err)
	}
}

func TestAnEndReadsAsASentence(t *testing.T) {
	three := 3
	for want, end := range map[string]session.End{
		"hung up":                             {Cause: session.HungUp},
		"done, exit status 3":                 {Cause: session.Done, Exit: &three},
		"done, exit status 3 (by itself)":     {Cause: session.Done, Exit: &three, Detail: "by itself"},
		"kicked by ada: maintenance":          {Cause: session.Kicked, By: "ada", Reason: "maintenance"},
		"refused (upstream x: no route)":      {Cause: session.Refused, Detail: "upstream x: no route"},
		"kicked by ada: why (it was too big)": {Cause: session.Kicked, By: "ada", Reason: "why", Detail: "it was too big"},
	} {
		if got := fmt.Errorf("%w", &end).Error(); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

func TestTotalsCountWhatPassed(t *testing.T) {
	var got session.Totals
	got.CountEvent(session.Received, make([]byte, 10))
	got.CountEvent(session.Sent, make([]byte, 4))
	got.CountEvent(session.SentErr, make([]byte, 3))
	got.CountEvent(session.Delivered, session.JSON(session.RoomRef{Messages: 3, Bytes: 30}))
	got.CountEvent(session.Unsent, []byte("5"))
	got.CountEvent(session.Named, []byte("not counted"))
	got.CountEvent(session.Unsent, []byte("not a number"))
	if want := (session.Totals{ReceivedBytes: 10, ReceivedEvents: 1, SentBytes: 32, SentEvents: 5}); got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
	got.CountEvent(session.Unsent, []byte("1000"))
	if got.SentBytes != 0 {
		t.Errorf("more unsent than sent leaves %d bytes", got.SentBytes)
	}
}

func TestASummaryTakesItsEnd(t *testing.T) {
	s := session.Summary{State: session.Live}
	s.SetEnd(session.End{Time: 5, Cause: session.Kicked, By: "ada", Reason: "r", Detail: "d"})
	want := session.Summary{State: session.Recorded, End: 5, Cause: session.Kicked, By: "ada", Reason: "r", Detail: "d"}
	if s != want {
		t.Errorf("got %+v; want %+v", s, want)
	}
}

func TestARoomMessageComesBack(t *testing.T) {
	for _, m := range []session.RoomMessage{{Bytes: []byte{}}, {Offset: 1 << 63, From: "4tq9m2xk7bfd-n1",
		Bytes: []byte("\x00x")},
		{Offset: 127, Bytes: []byte("from outside")},
		{Kind: session.SaidEvent, From: "4tq9m2xk7bfd-0123456789abcdef", Bytes: []byte(`["a"]`)},
		{Kind: session.SaidLeft, Others: true, From: "4tq9m2xk7bfd-n1", Bytes: []byte("{}")}} {
		got, err := session.ParseRoomMessage(m.Append([]byte{}))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("got %+v, %v; want %+v", got, err, m)
		}
	}
	for _, bad := range []string{"", "\x80", "\x01", "\x01\x05abcd", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"\x01\x80\x04", "\x01\x7f" + strings.Repeat("x", 200)} {
		if m, err := session.ParseRoomMessage([]byte(bad)); !errors.Is(err, session.ErrBadRoomMessage) {
			t.Errorf("%q is taken as %+v, %v", bad, m, err)
		}
	}
}

func FuzzAnEventComesBackFromItsJSON(f *testing.F) {
	f.Add(uint64(1), int64(1_700_000_000_000_000), uint8(2), []byte("a\xffb"))
	f.Add(uint64(2), int64(0), uint8(15), []byte(`{"cause":"idle","reason":"<b>"}`))
	f.Add(uint64(0), int64(-1), uint8(1), []byte(` { } `))
	f.Fuzz(func(t *testing.T, number uint64, at int64, kind uint8, data []byte) {
		in := session.Event{Number: number, Time: at, Kind: session.Kind(kind%17) + 1, Data: data}
		if year := time.UnixMicro(at).UTC().Year(); year < 0 || year > 9999 {
			t.Skip() // RFC 3339 ends there
		}
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out session.Event
		if err := json.Unmarshal(b, &out); err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		if out.Number != in.Number || out.Time != in.Time || out.Kind != in.Kind {
			t.Fatalf("got %+v; want %+v", out, in)
		}
		if !bytes.Equal(out.Data, in.Data) && !bytes.Contains(b, []byte(`"value":`)) {
			t.Fatalf("data %q became %q by %s", in.Data, out.Data, b)
		}
		again, err := json.Marshal(out)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("a second time %s, %v; want %s", again, err, b)
		}
	})
}

func FuzzEventJSONNeverPanics(f *testing.F) {
	f.Add([]byte(`{"number":1,"time":"2026-01-01T00:00:00Z","kind":"sent","text":"x","base64":"eA==","value":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e session.Event
		if json.Unmarshal(b, &e) != nil {
			return
		}
		if _, err := json.Marshal(e); err != nil {
			t.Fatalf("%s was taken as %+v, which cannot be written: %v", b, e, err)
		}
	})
}

func FuzzRoomMessages(f *testing.F) {
	f.Add(session.RoomMessage{Offset: 9, From: "4tq9m2xk7bfd-n1", Bytes: []byte("hi")}.Append(nil))
	f.Add([]byte("\x80\x80\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := session.ParseRoomMessage(data)
		if err != nil {
			return
		}
		back, err := session.ParseRoomMessage(m.Append(nil))
		if err != nil || back.Offset != m.Offset || back.Kind != m.Kind || back.Others != m.Others ||
			back.From != m.From || !bytes.Equal(back.Bytes, m.Bytes) {
			t.Fatalf("%+v became %+v, %v", m, back, err)
		}
	})
}

func FuzzIDs(f *testing.F) {
	f.Add("4tq9m2xk7bfd-n1")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := session.ParseID(s)
		if err != nil {
			return
		}
		if string(id) != s || len(s) > session.MaxIDLen || id.Short()+"-"+id.Node() != s || strings.ContainsAny(s,
			"/.\x00 ") {
			t.Fatalf("%q is taken as an id", s)
		}
	})
}

func TestNotesThatSayTooLittleOrTooMuchAreRefused(t *testing.T) {
	start, before := int64(0), int64(-1)
	long := strings.Repeat("x", session.MaxNoteText)
	for _, n := range []session.Note{{Text: "x"}, {At: &start}, {Text: long}, {Text: long, At: &start}} {
		if err := n.Check(); err != nil {
			t.Errorf("%.40v: %v; want it taken", n, err)
		}
	}
	for _, n := range []session.Note{{}, {Text: long + "x"}, {Text: "x", At: &before}} {
		if n.Check() == nil {
			t.Errorf("%.40v was taken", n)
		}
	}
}
