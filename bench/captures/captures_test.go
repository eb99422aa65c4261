package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/capture"
	"github.com/switchboard-relay/switchboard/frame"
)

// someday is in 2023, µs.
const someday = 1_700_000_000_000_000

// ask is a request of Modbus/TCP.
func ask(i int) []byte { return append([]byte{byte(i >> 8), byte(i)}, 0, 0, 0, 6, 1, 3, 0, 16, 0, 4) }

// answer is its response.
func answer(i int) []byte {
	return append([]byte{byte(i >> 8), byte(i)}, 0, 0, 0, 11, 1, 3, 8, 1, 2, 3, 4, 5, 6, 7, 8)
}

// tpkt is a message of TPKT with so many bytes in it.
func tpkt(n int) []byte {
	return append([]byte{3, 0, byte((n + 4) >> 8), byte(n + 4)}, bytes.Repeat([]byte{3}, n)...)
}

// written writes a capture file.
func written(t *testing.T, name string, tell func(w *capture.Writer)) string {
	t.Helper()
	var out bytes.Buffer
	w := capture.NewWriter(&out, capture.About{Program: "test"})
	tell(w)
	if err := w.Close(someday); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ends are those of a connection to a port, each from a port of its own.
func ends(n, port uint16) capture.Ends {
	return capture.Ends{netip.AddrPortFrom(netip.MustParseAddr("10.0.0.7"), 40_000+n), netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port)}
}

// plant is what a plant's network may carry: each segment is a message, but for garbage.
func plant(w *capture.Writer) {
	modbus := w.TCP(someday, ends(0, 502), [2]uint32{1, 0xffff_fff0})
	s7 := w.TCP(someday, ends(1, 102), [2]uint32{})
	for i := range 500 {
		modbus.Data(someday, capture.Client, ask(i))
		modbus.Data(someday, capture.Server, answer(i))
		s7.Data(someday, capture.Client, tpkt(3+i%400))
	}
	s7.Data(someday, capture.Server, tpkt(20)[:9]) // was not over when the capture was
	garbage := w.TCP(someday, ends(2, 502), [2]uint32{})
	garbage.Data(someday, capture.Client, []byte("GET / HTTP/1.1\r\nHost: plc\r\n\r\n"))
	garbage.Data(someday, capture.Client, ask(7))
	garbage.Data(someday, capture.Server, bytes.Repeat([]byte{0xff}, 3000))
	gap := w.TCP(someday, ends(3, 502), [2]uint32{})
	gap.Data(someday, capture.Client, ask(1)[:7])
	gap.Missing(capture.Client, 5+12)
	gap.Data(someday, capture.Client, ask(3))
	w.TCP(someday, ends(4, 80), [2]uint32{}).Data(someday, capture.Client, []byte("not of a device"))
	w.UDP(ends(5, 502)).Data(someday, capture.Client, ask(1))
}

func TestEveryByteOfACaptureIsAccountedFor(t *testing.T) {
	path := written(t, "plant.pcapng", plant)
	tallies, err := checkFile(path, settings{rounds: 20, seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	s7 := int64(0)
	for i := range 500 {
		s7 += int64(len(tpkt(3 + i%400)))
	}
	const garbage, cut = 29 + 3000, 7 // a request to a web server and its answer; what was there of a message before the gap
	want := []tally{
		{framer: "modbus-tcp", flows: 5, messages: 1000 + 1 + 1, bytes: 1002*12 + 500*(17-12) + garbage + cut, spoiled: 3, flagged: garbage + cut, missing: 17},
		{framer: "tpkt", flows: 2, messages: 500, bytes: s7 + 9, left: 9},
	}
	var got []tally
	for _, t := range tallies {
		got = append(got, *t)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	var out strings.Builder
	if err := run(&out, []string{path}, settings{rounds: 2}); err != nil || !strings.Contains(out.String(), "the same in all 6 ways") {
		t.Errorf("got %v and\n%s", err, &out)
	}
}

func TestLinesAreCheckedWhereAFlagSaysSo(t *testing.T) {
	path := written(t, "chat.pcapng", func(w *capture.Writer) {
		chat := w.TCP(someday, ends(0, 6667), [2]uint32{})
		chat.Data(someday, capture.Client, []byte("NICK one\r\nUSER one\r"))
		chat.Data(someday, capture.Client, []byte("\n\n"+strings.Repeat("long ", 15_000)+"\nQU"))
	})
	tallies, err := checkFile(path, settings{preset: "line", rounds: 20})
	want := tally{framer: "line", flows: 1, messages: 4, bytes: 10 + 10 + 1 + 75_001 + 2, spoiled: 1, flagged: 65_536, left: 2}
	if err != nil || len(tallies) != 1 || *tallies[0] != want {
		t.Errorf("got %+v, %v; want %+v", tallies, err, want)
	}
	if err := run(&strings.Builder{}, []string{path}, settings{preset: "raw"}); err == nil || !strings.Contains(err.Error(), "-preset raw: write one of gt06, line") {
		t.Errorf("-preset raw: got %v", err)
	}
}

func TestARunFailsThatChecksNothingOrNotAll(t *testing.T) {
	web := written(t, "web.pcapng", func(w *capture.Writer) {
		w.TCP(someday, ends(0, 80), [2]uint32{}).Data(someday, capture.Client, []byte("x"))
	})
	good := written(t, "plant.pcapng", plant)
	broken := filepath.Join(t.TempDir(), "broken.pcap")
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, data[:len(data)/2+1], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		files []string
		want  string
	}{
		{[]string{web}, "nothing was checked"},
		{[]string{good, broken}, "the file ends within it"},
		{[]string{good, web + "x"}, "no such file"},
	} {
		var out strings.Builder
		err := run(&out, c.files, settings{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(out.String(), "accounted for") {
			t.Errorf("%q: got %v and\n%s\nwant %q", c.files, err, &out, c.want)
		}
	}
	if found, err := capturesIn(filepath.Dir(broken)); err != nil || len(found) != 1 || found[0] != broken {
		t.Errorf("in the folder: got %q, %v", found, err)
	}
}

// faulty does something wrong with what a sound framer does.
type faulty struct {
	framer
	take   func(p []byte) []byte                     // what it reads of a piece
	tell   func(m *frame.Message, piece []byte) bool // changes a message, or keeps it to itself
	closes bool
}

func (f *faulty) Feed(p []byte, at int64, each func(m *frame.Message) error) error {
	if f.take != nil {
		p = f.take(p)
	}
	return f.framer.Feed(p, at, func(m *frame.Message) error {
		if f.tell != nil && !f.tell(m, p) {
			return nil
		}
		return each(m)
	})
}

func (f *faulty) Close(each func(m *frame.Message) error) error {
	if !f.closes {
		return nil
	}
	return f.framer.Close(each)
}

func TestAFramerThatIsWrongIsFound(t *testing.T) {
	var segments [][]byte
	for i := range 100 {
		segments = append(segments, ask(i))
	}
	segments = append(segments, ask(100)[:5])
	for _, c := range []struct {
		fault, preset string
		framer        faulty
		want          string // empty: nothing is wrong
	}{
		{"none", "modbus-tcp", faulty{closes: true}, ""},
		{"loses a byte of a piece", "modbus-tcp", faulty{closes: true, take: func(p []byte) []byte { return p[:len(p)-1] }},
			"as its segments came: of 12 bytes that were read, 0 are in messages and 11 are held"},
		{"loses a byte of large pieces", "modbus-tcp", faulty{closes: true, take: func(p []byte) []byte { return p[:min(len(p), 1000)] }},
			"all at once: of 1205 bytes that were read, 996 are in messages and 4 are held"},
		{"loses a message", "modbus-tcp", faulty{closes: true, tell: func(m *frame.Message, _ []byte) bool { return m.Start != 24 }},
			"as its segments came: of 36 bytes that were read, 24 are in messages and 0 are held"},
		{"loses a message of large pieces", "modbus-tcp", faulty{closes: true, tell: func(m *frame.Message, p []byte) bool { return m.Start != 24 || len(p) <= 12 }},
			"all at once: message 2 is of bytes 36 to 48 of the 1205 that were read; want it to begin at 24"},
		{"tells a message twice", "modbus-tcp", faulty{closes: true, tell: func(m *frame.Message, _ []byte) bool { m.Start = max(m.Start-12, 0); return true }},
			"message 1 is of bytes 0 to 24"},
		{"changes a byte", "modbus-tcp", faulty{closes: true, tell: func(m *frame.Message, _ []byte) bool { m.Data[3] = 'x'; return true }},
			`message 0, of bytes 0 to 12, is "\x00\x00\x00x`},
		{"leaves a byte out", "modbus-tcp", faulty{closes: true, tell: func(m *frame.Message, _ []byte) bool { m.Data = m.Data[1:]; return true }},
			"message 0, of bytes 0 to 12, is"},
		{"flags what came in pieces", "modbus-tcp", faulty{closes: true, tell: func(m *frame.Message, p []byte) bool {
			if len(p) == 1 {
				m.Flags = frame.BadCheck
			}
			return true
		}}, "byte by byte: message 0 of 101 is [{start:0 end:12 kind:0 flags:1"},
		{"forgets what is left", "modbus-tcp", faulty{}, "of 1205 bytes, 1200 are in messages at the end"},
		{"takes pieces for messages", "raw", faulty{closes: true}, "all at once: message 0 of 1 is [{start:0 end:1205"},
	} {
		d, err := dialectOf(c.preset)
		if err != nil {
			t.Fatal(err)
		}
		_, err = check(segments, func() framer {
			r, f := d.Reader(false), c.framer
			f.framer = &r
			return &f
		}, 20, 1)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("a framer that %s: got %v, want %q", c.fault, err, c.want)
		}
	}
}

func TestACaptureThatReadsDifferentlyIsFound(t *testing.T) {
	file := func(tell func(c *capture.TCP)) []byte {
		data, err := os.ReadFile(written(t, "one.pcapng", func(w *capture.Writer) { tell(w.TCP(someday, ends(0, 502), [2]uint32{})) }))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	sides := [2]*flow{
		{name: "10.0.0.7:40000 to 10.0.0.1:502", segments: [][]byte{ask(1)}},
		{name: "10.0.0.1:502 to 10.0.0.7:40000", segments: [][]byte{answer(1)[:8], answer(1)[8:]}, missing: 4},
	}
	for _, c := range []struct {
		name          string
		asks, answers []byte
		missing       uint64
		same          bool
	}{
		{"the same, cut elsewhere", ask(1), answer(1), 4, true},
		{"another byte", ask(2), answer(1), 4, false},
		{"a byte less", ask(1), answer(1)[:16], 4, false},
		{"fewer missing", ask(1), answer(1), 3, false},
	} {
		err := sameAgain(sides, file(func(tcp *capture.TCP) {
			tcp.Data(someday, capture.Client, c.asks)
			tcp.Missing(capture.Server, c.missing)
			tcp.Data(someday, capture.Server, c.answers)
		}))
		if (err == nil) != c.same {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}
