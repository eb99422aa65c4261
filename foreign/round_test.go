package foreign_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/foreign"
	"github.com/switchboard-relay/switchboard/session"
)

// reel gives events once.
type reel struct{ events []session.Event }

func (r *reel) TryNext() ([]session.Event, error) {
	events := r.events
	r.events = nil
	if len(events) == 0 {
		return nil, io.EOF
	}
	return events, nil
}

func (r *reel) Close() {}

// through exports events, and reads what was written.
func through(t testing.TB, f export.Format, events []session.Event) (foreign.Header, []session.Event, int64, *int) {
	t.Helper()
	var file bytes.Buffer
	if err := export.Write(&file, f, export.Both, func() (export.Reader, error) { return &reel{events}, nil }); err != nil {
		t.Fatal(err)
	}
	tape, err := foreign.Open(&file, foreign.Unknown)
	if err != nil {
		t.Fatal(err)
	}
	var got []session.Event
	for {
		e, err := tape.Next()
		if errors.Is(err, io.EOF) {
			end := tape.End()
			return tape.Header(), got, end.Time, end.Exit
		}
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		e.Data = bytes.Clone(e.Data)
		got = append(got, e)
	}
}

// flow is what passed of one kind, a line for each moment at which something did.
func flow(events []session.Event, k session.Kind, start, unit int64) string {
	var b strings.Builder
	at := int64(-1)
	for _, e := range events {
		if e.Kind != k {
			continue
		}
		if us := (e.Time - start + unit/2) / unit * unit; us != at {
			at = us
			fmt.Fprintf(&b, "\n%d ", us)
		}
		b.Write(e.Data)
	}
	return b.String()
}

const began = 1_700_000_000_000_000

// talk makes a session of a terminal: random texts, cut anywhere if whole is false, sizes and notes.
func talk(random *rand.Rand, n int, whole bool) []session.Event {
	info := session.Info{ID: "4tq9m2xk7bfd-n1", Start: began, Terminal: "90x33", Name: "a \"name\" 名"}
	at := int64(began)
	events := []session.Event{{Number: 1, Time: at, Kind: session.Opened, Data: session.JSON(info)}}
	add := func(k session.Kind, data string) {
		at += random.Int64N(3_000_000)
		events = append(events, session.Event{Number: uint64(len(events) + 1), Time: at, Kind: k, Data: []byte(data)})
	}
	words := []string{"ls -l\r\n", "\x1b[1;31m", "温度传感器", "é\x00\x7f\u009b", "😀", "\"\\\u2028"}
	for range n {
		switch random.IntN(8) {
		case 0:
			add(session.Resized, fmt.Sprintf("%dx%d", 1+random.IntN(1000), 1+random.IntN(1000)))
		case 1:
			add(session.Noted, words[random.IntN(len(words))])
		case 2:
			add(session.Received, words[random.IntN(len(words))])
		default:
			text := words[random.IntN(len(words))] + words[random.IntN(len(words))]
			if !whole {
				cut := random.IntN(len(text))
				add(session.Sent, text[:cut])
				text = text[cut:]
			}
			add(session.Sent, text)
		}
	}
	status := random.IntN(256)
	at += random.Int64N(3_000_000)
	end := session.End{Time: at, Cause: session.Done, Exit: &status}
	return append(events, session.Event{Number: uint64(len(events) + 1), Time: at, Kind: session.Closed, Data: session.JSON(end)})
}

func TestWhatWasExportedComesBack(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 30 {
		want := talk(random, 60, true)
		last := want[len(want)-1].Time - began
		for f, unit := range map[export.Format]int64{export.Asciicast: 1000, export.Asciicast2: 1, export.Ttyrec: 1} {
			h, got, duration, exit := through(t, f, want)
			if h.Size != (session.Size{Cols: 90, Rows: 33}) || f != export.Ttyrec && h.Title != "a \"name\" 名" || h.Start != began {
				t.Fatalf("%s: the header says %+v", f, h)
			}
			kinds := []session.Kind{session.Sent, session.Resized}
			if f != export.Ttyrec { // it has neither input nor marks, and no end
				kinds = append(kinds, session.Received, session.Noted)
				if (duration+unit/2)/unit != (last+unit/2)/unit {
					t.Fatalf("%s: it lasted %d; want %d", f, duration, last)
				}
			}
			for _, k := range kinds {
				if a, b := flow(got, k, 0, unit), flow(want, k, began, unit); a != b {
					t.Fatalf("%s: %s: got %q\nwant %q", f, k, a, b)
				}
			}
			if f == export.Asciicast && (exit == nil || *exit < 0) {
				t.Fatalf("%s: exit %v", f, exit)
			}
		}
	}
}

// Characters that are cut in two come back whole, at the time of their second half; a ttyrec has the bytes as they were.
func TestWhatWasCutAnywhereComesBackWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	text := func(events []session.Event) (s string) {
		for _, e := range events {
			if e.Kind == session.Sent {
				s += string(e.Data)
			}
		}
		return s
	}
	for range 30 {
		want := talk(random, 60, false)
		for _, f := range []export.Format{export.Asciicast, export.Asciicast2, export.Ttyrec} {
			if _, got, _, _ := through(t, f, want); text(got) != text(want) {
				t.Fatalf("%s: got %q; want %q", f, text(got), text(want))
			}
		}
	}
}
