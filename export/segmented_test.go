package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
)

// segmentedIndex and segment are what asciinema's player makes of the files.
type segmentedIndex struct {
	Version  int
	Duration float64
	Term     struct{ Cols, Rows int }
	Segments []struct {
		Start float64
		URL   string
	}
	Markers [][2]any
}

type segment struct {
	Snapshot struct {
		Cols, Rows int
		Init       string
	}
	Events [][3]any
}

// segments makes the files of events, where segments may begin behind those that are said. A screen is all that was sent so far.
func segments(t *testing.T, events []session.Event, behind func(e session.Event) bool, marks ...export.SegmentMark) (index segmentedIndex, list []segment) {
	t.Helper()
	s := export.Segments{Size: session.DefaultSize, Start: start, Marks: marks}
	if n := len(events); n > 0 {
		s.Duration = events[n-1].Time - start
	}
	s.Begin(0, start)
	screens, shown := map[uint64][]byte{}, []byte("\x1bc")
	for _, e := range events {
		if e.Kind == session.Sent {
			shown = append(shown, e.Data...)
		}
		if behind(e) {
			s.Begin(e.Number, e.Time)
			screens[e.Number] = bytes.Clone(shown)
		}
	}
	content := s.AppendIndex(nil, func(number uint64) string { return fmt.Sprint(number) })
	if err := json.Unmarshal(content, &index); err != nil {
		t.Fatalf("%v in %s", err, content)
	}
	for _, begin := range index.Segments {
		var number uint64
		fmt.Sscan(begin.URL, &number)
		var out bytes.Buffer
		closed := 0
		err := s.Write(&out, number, session.DefaultSize, screens[number], true, func() (export.Reader, error) {
			return &tape{events: events[number:], batch: 3, closed: &closed}, nil
		})
		var one segment
		if err = errors.Join(err, json.Unmarshal(out.Bytes(), &one)); err != nil || closed != 1 || !s.Has(number) {
			t.Fatalf("%d: %v in %s", number, err, &out)
		}
		list = append(list, one)
	}
	if s.Has(1 << 40) {
		t.Error("a segment begins behind an event that there is not")
	}
	return index, list
}

// checkSegments holds the files to what the player demands, and to what was shown: every segment, begun with its snapshot, must
// come to the same text.
func checkSegments(t *testing.T, index segmentedIndex, list []segment, shown string) {
	t.Helper()
	if index.Version != 1 || len(list) == 0 || index.Segments[0].Start != 0 {
		t.Fatalf("the index is %+v", index)
	}
	before := ""
	for i, s := range list {
		start, end := index.Segments[i].Start, index.Duration
		if i+1 < len(list) {
			end = index.Segments[i+1].Start
		}
		if len(s.Events) == 0 || i > 0 && (start <= index.Segments[i-1].Start || start >= index.Duration || s.Events[0][0] != start) {
			t.Fatalf("segment %d begins at %v, its events are %v", i, start, s.Events)
		}
		if text := strings.TrimPrefix(s.Snapshot.Init, "\x1bc"); text != before {
			t.Fatalf("segment %d begins with %q on the screen; want %q", i, text, before)
		}
		last := start
		for _, e := range s.Events {
			at := e[0].(float64)
			if at < last || i+1 < len(list) && at >= end || at > end {
				t.Fatalf("segment %d from %v to %v has an event at %v behind one at %v", i, start, end, at, last)
			}
			last = at
			if e[1] == "o" {
				before += e[2].(string)
			}
		}
		if i+1 == len(list) && last != index.Duration {
			t.Fatalf("the last event is at %v, the end at %v", last, index.Duration)
		}
	}
	if before != shown {
		t.Fatalf("%q is shown; want %q", before, shown)
	}
}

func all(session.Event) bool { return true }

func TestASegmentedRecordingIsAsThePlayerDemands(t *testing.T) {
	marks := []export.SegmentMark{{At: 2_000_000, Text: "a mark"}, {At: 3_000_000_000, Text: "late"}}
	index, list := segments(t, shell(), all, marks...)
	checkSegments(t, index, list, "$ 温\ufffd\"never\ufffd\x1b[0m\r\n\ufffd\ufffd")
	if len(list) != 13 || len(index.Markers) != 2 || index.Markers[0] != [2]any{2.0, "a mark"} || index.Markers[1][0] != index.Duration ||
		index.Term.Rows != 24 || index.Segments[1].Start != 0.000001 {
		t.Errorf("got %d, %+v", len(list), index)
	}
	for _, few := range [][]session.Event{nil, story(session.Opened, info), story(session.Sent, "x")} {
		index, list := segments(t, few, all)
		if len(list) != 1 || len(list[0].Events) == 0 || index.Duration != 0 {
			t.Errorf("%v: %+v, %+v", few, index, list)
		}
	}
}

func TestSegmentsOfALongRecordingJoinWithoutASeam(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	events := []session.Event{{Number: 1, Time: start, Kind: session.Opened, Data: session.JSON(info)}}
	at, shown := int64(start), ""
	for range 500 {
		at += random.Int64N(3) // most moments have more than one event
		text := strings.Repeat("温度 x", random.IntN(10))
		cut := random.IntN(len(text) + 1)
		for _, part := range []string{text[:cut], text[cut:]} {
			events = append(events, session.Event{Number: uint64(len(events) + 1), Time: at, Kind: session.Sent, Data: []byte(part)})
		}
		shown += text
	}
	index, list := segments(t, events, func(session.Event) bool { return random.IntN(4) == 0 })
	checkSegments(t, index, list, shown)
	if len(list) < 100 {
		t.Errorf("%d segments", len(list))
	}
}
