package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
)

// paper is a screen that remembers all that was written on it: the simplest snapshot that there is.
type paper struct {
	text       []byte
	cols, rows int
}

func (p *paper) Write(b []byte) (int, error) { p.text = append(p.text, b...); return len(b), nil }
func (p *paper) Resize(cols, rows int)       { p.cols, p.rows = cols, rows }
func (p *paper) AppendSnapshot(b []byte) ([]byte, bool) {
	return append(append(b, "\x1bc"...), p.text...), true
}

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

// segments makes the files of events.
func segments(t *testing.T, events []session.Event, terminal export.Screen) (index segmentedIndex, list []segment) {
	t.Helper()
	files := map[string][]byte{}
	closed := 0
	open := func() (export.Reader, error) { return &tape{events: events, batch: 3, closed: &closed}, nil }
	err := export.WriteSegmented(open, true, func(size session.Size) export.Screen {
		terminal.Resize(size.Cols, size.Rows)
		return terminal
	}, func(name string, content []byte) error {
		files[name] = bytes.Clone(content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(files[export.SegmentedIndex], &index); err != nil {
		t.Fatalf("%v in %s", err, files[export.SegmentedIndex])
	}
	for _, s := range index.Segments {
		var one segment
		if err := json.Unmarshal(files[s.URL], &one); err != nil {
			t.Fatalf("%s: %v in %s", s.URL, err, files[s.URL])
		}
		list = append(list, one)
	}
	if len(files) != len(list)+1 {
		t.Errorf("%d files for %d segments", len(files), len(list))
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
		if i > 0 && (start <= index.Segments[i-1].Start || start >= index.Duration || s.Events[0][0] != start) {
			t.Fatalf("segment %d begins at %v, its events at %v", i, start, s.Events[0][0])
		}
		if text := strings.TrimPrefix(s.Snapshot.Init, "\x1bc"); text != before {
			t.Fatalf("segment %d begins with %d bytes on the screen; want %d", i, len(text), len(before))
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
		t.Fatalf("%d bytes are shown; want %d", len(before), len(shown))
	}
}

func TestASegmentedRecordingIsAsThePlayerDemands(t *testing.T) {
	index, list := segments(t, shell(), &paper{})
	checkSegments(t, index, list, "$ 温�\"\x1b[0m\r\n��")
	if len(list) != 2 || len(index.Markers) != 2 || index.Markers[0][1] != "sent by ada" || index.Term.Cols != 100 ||
		list[1].Snapshot.Cols != 120 || index.Segments[1].Start != 12.0048-2.0008 {
		t.Errorf("got %+v, %+v", index, list)
	}
	for _, few := range [][]session.Event{nil, story(session.Opened, info), story(session.Sent, "x")} {
		index, list := segments(t, few, &paper{})
		if len(list) != 1 || len(list[0].Events) == 0 || index.Duration != 0 {
			t.Errorf("%v: %+v, %+v", few, index, list)
		}
	}
}

func TestSegmentsOfALongRecordingJoinWithoutASeam(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	events := []session.Event{{Number: 1, Time: start, Kind: session.Opened, Data: session.JSON(info)}}
	at, shown := int64(start), ""
	for len(shown) < 2<<20 {
		at += random.Int64N(3) * 100_000
		text := strings.Repeat("温度 x", random.IntN(8000))
		cut := random.IntN(len(text) + 1)
		for _, part := range []string{text[:cut], text[cut:]} {
			events = append(events, session.Event{Number: uint64(len(events) + 1), Time: at, Kind: session.Sent, Data: []byte(part)})
		}
		shown += text
	}
	index, list := segments(t, events, &paper{})
	checkSegments(t, index, list, shown)
	if len(list) < 5 || len(list) > 40 {
		t.Errorf("%d segments of %d bytes in %v s", len(list), len(shown), index.Duration)
	}
}

// mute is a screen that has no snapshot to give.
type mute struct{ paper }

func (m *mute) AppendSnapshot(b []byte) ([]byte, bool) { return b, false }

func TestWithoutASnapshotASegmentGoesOn(t *testing.T) {
	if index, list := segments(t, shell(), &mute{}); len(list) != 1 {
		t.Errorf("got %+v", index)
	}
}

func TestTheErrorOfAFileOfSegmentsComesBack(t *testing.T) {
	full, closed := errors.New("full"), 0
	open := func() (export.Reader, error) { return &tape{events: shell(), closed: &closed}, nil }
	err := export.WriteSegmented(open, false, func(session.Size) export.Screen { return &paper{} },
		func(string, []byte) error { return full })
	if !errors.Is(err, full) || closed != 2 {
		t.Errorf("got %v, %d closed", err, closed)
	}
}
