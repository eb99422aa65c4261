package export_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
)

// A frame must be as the documents of the protocol show it.
func TestFramesOfALiSAreThoseOfTheProtocol(t *testing.T) {
	theme := bytes.Repeat([]byte{1, 2, 3}, 10)
	for want, f := range map[string]export.AlisFrame{
		"\x01\x02\x80\x01\x50\x18\x00\x03hi!":               {Kind: export.AlisInit, ID: 2, Time: 128, Size: session.DefaultSize, Text: "hi!"},
		"\x01\x00\x00\x50\x18\x08" + string(theme) + "\x00": {Kind: export.AlisInit, Size: session.DefaultSize, Theme: theme},
		"o\x01\x05\x04é\xc3\xa9":                            {Kind: export.AlisOutput, ID: 1, Time: 5, Text: "éé"},
		"i\x01\x05\x01k":                                    {Kind: export.AlisInput, ID: 1, Time: 5, Text: "k"},
		"m\x03\x00\x00":                                     {Kind: export.AlisMarker, ID: 3},
		"r\x04\x00\x64\x1e":                                 {Kind: export.AlisResize, ID: 4, Size: session.Size{Cols: 100, Rows: 30}},
		"x\x05\xe8\x07\x03":                                 {Kind: export.AlisExit, ID: 5, Time: 1000, Status: 3},
		"\x04\xe8\x07":                                      {Kind: export.AlisEnd, Time: 1000},
	} {
		if got := f.Append(nil); string(got) != want {
			t.Errorf("%+v: got %q; want %q", f, got, want)
		}
		if got, err := export.ParseAlis([]byte(want)); err != nil || !reflect.DeepEqual(got, f) {
			t.Errorf("%q: got %+v, %v; want %+v", want, got, err, f)
		}
	}
	if f, err := export.ParseAlis([]byte("\x04\x07\xe8\x07")); err != nil || f.ID != 7 || f.Time != 1000 {
		t.Errorf("the end as a producer sends it: %+v, %v", f, err)
	}
	if _, err := export.ParseAlis([]byte("z\x01")); !errors.Is(err, export.ErrAlisKind) {
		t.Errorf("a kind that is not known: %v", err)
	}
	for _, bad := range []string{"", "o", "o\x01\x05\x05four", "o\x01\x05\x01xy", "o\x01\x05\x01\xff", "r\x01\x00\x00\x18",
		"\x01\x02\x00\x50\x18\x07", "\x01\x02\x00\x50\x18\x08\x00", "\x01\x02\x00\x50\x18", "x\x05\x00",
		"o\x01\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "o\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00"} {
		if f, err := export.ParseAlis([]byte(bad)); !errors.Is(err, export.ErrAlis) {
			t.Errorf("%q is taken as %+v, %v", bad, f, err)
		}
	}
}

// stream is what a viewer gets who joins behind an event, a line for each message.
func stream(t *testing.T, events []session.Event, join uint64, size session.Size, screen string) string {
	t.Helper()
	var out strings.Builder
	a := export.NewAlis(start, true, func(m []byte) error {
		if string(m) == export.AlisMagic {
			out.WriteString("magic\n")
			return nil
		}
		f, err := export.ParseAlis(m)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%q %d +%d %s %q %d\n", rune(f.Kind), f.ID, f.Time, f.Size, f.Text, f.Status)
		return nil
	})
	at := int64(start)
	for _, e := range events[:join] {
		at = e.Time
	}
	err := a.Join(size, at, []byte(screen))
	for _, e := range events[join:] {
		err = errors.Join(err, a.Event(e))
	}
	if err = errors.Join(err, a.End()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAViewerOfALiSWhoJoinsLateSeesTheTerminalAndWhatFollows(t *testing.T) {
	events := shell()
	if got, want := stream(t, events, 0, session.Size{Cols: 100, Rows: 30}, ""), `magic
'\x01' 0 +0 100x30 "" 0
'o' 1 +1000400 0x0 "$ " 0
'i' 2 +1000400 0x0 "l" 0
'o' 3 +1000400 0x0 "温�\"" 0
'r' 4 +2000800 120x40 "" 0
'm' 5 +1000400 0x0 "sent by ada" 0
'm' 6 +1000400 0x0 "3 events with 7 bytes are missing: damaged" 0
'o' 7 +1000400 0x0 "never" 0
'o' 8 +2000800 0x0 "�\x1b[0m\r\n" 0
'o' 9 +2000800 0x0 "��" 0
'x' 10 +0 0x0 "" 3
'\x04' 0 +0 0x0 "" 0
`; got != want {
		t.Errorf("from the beginning: got\n%s\nwant\n%s", got, want)
	}
	if got, want := stream(t, events, 8, session.Size{Cols: 120, Rows: 40}, "\x1bc$ 温\""), `magic
'\x01' 0 +7002800 120x40 "\x1bc$ 温\"" 0
'o' 1 +1000400 0x0 "never" 0
`; !strings.HasPrefix(got, want) {
		t.Errorf("late: got\n%s\nwant\n%s", got, want)
	}
}

func TestAViewerOfALiSWhoJoinsWithinACharacterSeesIt(t *testing.T) {
	if got, want := stream(t, shell(), 2, session.DefaultSize, "\x1bc$ \xe6\xb8"), `magic
'\x01' 0 +1000400 80x24 "\x1bc$ " 0
'i' 1 +1000400 0x0 "l" 0
'o' 2 +1000400 0x0 "温�\"" 0
`; !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAViewerOfALiSWhoIsGoneIsSentNothingMore(t *testing.T) {
	gone, calls := errors.New("gone"), 0
	a := export.NewAlis(start, false, func([]byte) error { calls++; return gone })
	if err := a.Join(session.DefaultSize, start, nil); !errors.Is(err, gone) {
		t.Errorf("join: %v", err)
	}
	if err := a.Event(session.Event{Kind: session.Sent, Data: []byte("x")}); !errors.Is(err, gone) || calls != 1 {
		t.Errorf("event: %v after %d calls", err, calls)
	}
}

// FuzzAFrameOfALiSIsReadOrRefused reads anything: what is taken means the same when it is written again.
func FuzzAFrameOfALiSIsReadOrRefused(f *testing.F) {
	for _, seed := range []string{"\x01\x02\x80\x01\x50\x18\x00\x03hi!", "o\x01\x05\x02\xc3\xa9", "r\x04\x00\x64\x1e", "x\x05\x01\x03",
		"\x04\x07\x01", "m\x01\x01\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := export.ParseAlis(data)
		if err != nil {
			return
		}
		again, err := export.ParseAlis(frame.Append(nil))
		if frame.Kind == export.AlisEnd {
			again.ID = frame.ID
		}
		if err != nil || !reflect.DeepEqual(again, frame) {
			t.Fatalf("%q: %+v came back as %+v, %v", data, frame, again, err)
		}
	})
}
