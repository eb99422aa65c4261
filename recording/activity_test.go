package recording

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

func sumOf(steps []uint64) (sum uint64) {
	for _, n := range steps {
		sum += n
	}
	return sum
}

func TestActivityIsTheSameWhereverTheChunksLie(t *testing.T) {
	dir := t.TempDir()
	sealed := make(chan session.Summary, 1)
	s := openStore(t, Options{Dir: dir, OnSealed: func(sum session.Summary) { sealed <- sum }})
	l := begin(t, s, Policy{})
	data := make([]byte, 40_000)
	var received, sent uint64
	var watched []uint64
	check := func(where string, of interface {
		Activity(context.Context, int64, int64, int) (*Activity, error)
	}) {
		t.Helper()
		for _, steps := range []int{1, 7, 2000} {
			a, err := of.Activity(t.Context(), 0, 0, steps)
			if err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			if len(a.Received) > steps || len(a.Sent) != len(a.Received) {
				t.Errorf("%s: %d and %d steps; want at most %d", where, len(a.Received), len(a.Sent), steps)
			}
			if got := sumOf(a.Received); got != received {
				t.Errorf("%s, in %d steps: %d bytes received; want %d", where, steps, got, received)
			}
			if got := sumOf(a.Sent); got != sent {
				t.Errorf("%s, in %d steps: %d bytes sent; want %d", where, steps, got, sent)
			}
			var looked []uint64
			for _, w := range a.Watched {
				if looked = append(looked, w.Number); w.By != "ada" || !w.Types || w.At < 0 || w.At > a.End-a.Start {
					t.Errorf("%s: %+v looked on", where, w)
				}
			}
			if !slices.Equal(looked, watched) {
				t.Errorf("%s: events %d say who looked on; want %d", where, looked, watched)
			}
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 40 {
		n := 1 + r.IntN(len(data))
		if i%9 == 3 {
			number, err := l.Append(session.Watched, session.JSON(session.Watch{By: "ada", Types: true, Left: i%2 > 0}))
			if err != nil {
				t.Fatal(err)
			}
			watched = append(watched, number)
		}
		switch i % 4 {
		case 0:
			l.Append(session.Received, data[:n])
			received += uint64(n)
		case 1:
			l.Append(session.Sent, data[:n])
			sent += uint64(n)
		case 2:
			l.Append(session.Delivered, session.JSON(session.RoomRef{Messages: 2, Bytes: uint64(n)}))
			sent += uint64(n)
		case 3: // of the event before, or of one in an earlier chunk
			if i%8 == 3 {
				l.Flush()
			}
			l.Append(session.Unsent, []byte("1"))
			sent--
		}
		check(fmt.Sprintf("live, after %d", i), l)
	}
	l.Flush()
	durably(t, l, session.Unsent, []byte("20000")) // alone in its chunk
	sent -= 20_000
	check("live and on disk", l)
	crashed := kill(t, dir)
	l.End(session.End{Cause: session.Done})
	sum := <-sealed
	check("the log after it was sealed", l)
	if sum.ReceivedBytes != received || sum.SentBytes != sent {
		t.Errorf("the summary says %+v; want %d and %d", sum.Totals, received, sent)
	}
	rec, err := s.Recording(sum.ID, sum.Start)
	for err == nil && rec.log != nil { // the store lets go of the log a moment after it has told
		rec.Close()
		rec, err = s.Recording(sum.ID, sum.Start)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	check("the sealed file", rec)
	unknown := 0
	for i := range rec.entries {
		ref := &rec.entries[i].ref
		if ref.flags&flagPassed == 0 {
			unknown++
		}
		ref.flags &^= flagPassed
	}
	if unknown == 0 || unknown > len(rec.entries)/2 {
		t.Errorf("%d of %d chunks do not say what passed; want those alone that take back what others sent", unknown,
			len(rec.entries))
	}
	check("a file of an earlier version", rec)
	again := openStore(t, Options{Dir: crashed})
	found, err := again.Recording(sum.ID, sum.Start)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	check("what a crash left", found)
}

func TestAChunksBytesAreSpreadOverItsTime(t *testing.T) {
	for _, c := range []struct {
		what         string
		since, until int64
		steps        int
		chunks       [][4]int64 // t0, t1, received, sent
		step         int64
		received     []uint64
		sent         []uint64
	}{
		{"one event", 0, 0, 10, [][4]int64{{1000, 1000, 5, 7}}, 10, []uint64{5, 9: 0}, []uint64{7, 9: 0}},
		{"the last event", 0, 0, 10, [][4]int64{{1099, 1099, 5, 0}}, 10, []uint64{9: 5}, make([]uint64, 10)},
		{"all of the time", 0, 0, 4, [][4]int64{{1000, 1099, 100, 10}}, 25, []uint64{25, 25, 25, 25}, []uint64{2, 3, 2, 3}},
		{"a part of it", 0, 0, 4, [][4]int64{{1040, 1059, 20, 0}}, 25, []uint64{0, 10, 10, 0}, make([]uint64, 4)},
		{"two in one step", 0, 0, 2, [][4]int64{{1000, 1009, 3, 0}, {1010, 1019, 4, 0}}, 50, []uint64{7, 0}, []uint64{0, 0}},
		{"a window", 1050, 1069, 2, [][4]int64{{1000, 1099, 100, 0}, {1000, 1010, 9, 9}, {1070, 1080, 9, 9}}, 10,
			[]uint64{10, 10}, []uint64{0, 0}},
		{"a window behind the end", 2000, 0, 5, [][4]int64{{1000, 1099, 1, 1}}, 1, []uint64{0}, []uint64{0}},
		{"fewer steps than asked for", 0, 1002, 9, [][4]int64{{1000, 1002, 3, 0}}, 1, []uint64{1, 1, 1}, []uint64{0, 0, 0}},
		{"more than was sent is taken back", 0, 0, 4, [][4]int64{{1000, 1024, 0, 50}, {1050, 1050, 0, 9}, {1099, 1099, 0, -30}},
			25, make([]uint64, 4), []uint64{29, 0, 0, 0}},
		{"large numbers", 0, 0, 2, [][4]int64{{1000, 1099, 1 << 61, 0}}, 50, []uint64{1 << 60, 1 << 60}, []uint64{0, 0}},
	} {
		a := newActivity(1000, 1099, c.since, c.until, c.steps)
		for _, k := range c.chunks {
			a.add(k[0], k[1], k[2], k[3])
		}
		if a.Step != c.step || !slices.Equal(a.Received, c.received) || !slices.Equal(a.Sent, c.sent) {
			t.Errorf("%s: got %+v; want steps of %d, %v, %v", c.what, *a, c.step, c.received, c.sent)
		}
	}
}

func TestWhatIsSaidInARoomIsActivityOfItsRecording(t *testing.T) {
	s := openStore(t, Options{})
	l := begin(t, s, Policy{})
	message := session.RoomMessage{Offset: 1, From: l.ID(), Bytes: []byte("hello")}.Append(nil)
	durably(t, l, session.Message, message)
	a, err := l.Activity(t.Context(), 0, 0, 10)
	if err != nil || sumOf(a.Received) != uint64(len(message)) || sumOf(a.Sent) != 0 {
		t.Errorf("got %+v, %v; want the message of %d bytes", a, err, len(message))
	}
	l.End(session.End{Cause: session.Done})
}

func TestTheActivityOfALiveSessionGoesAsFarAsNow(t *testing.T) {
	s := openStore(t, Options{})
	l := begin(t, s, Policy{})
	before := time.Now().UnixMicro()
	a, err := l.Activity(t.Context(), 0, 0, 10)
	if err != nil || a.End < before {
		t.Errorf("it ends at %d, %v; want %d or later", a.End, err, before)
	}
	l.End(session.End{Cause: session.Done})
	events := readAll(t, l.Cursor(1))
	if a, err = l.Activity(t.Context(), 0, 0, 10); err != nil || a.Start != events[0].Time || a.End != events[1].Time {
		t.Errorf("of an ended session: %d to %d, %v; want %d to %d", a.Start, a.End, err, events[0].Time, events[1].Time)
	}
}

func TestEnoughBytesLieBehindTheChunkThatIsBegunWith(t *testing.T) {
	sealed := make(chan session.Summary, 1)
	s := openStore(t, Options{OnSealed: func(sum session.Summary) { sealed <- sum }})
	l := begin(t, s, Policy{})
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 300 {
		l.Append([]session.Kind{session.Received, session.Sent, session.Noted}[i%3], bytes.Repeat([]byte("x"), r.IntN(5000)))
		if i%17 == 0 {
			l.Flush()
		}
	}
	check := func(where string, before func(uint64, int64) (uint64, error)) {
		t.Helper()
		c := l.Cursor(1)
		defer c.Close()
		var events []session.Event
		for uint64(len(events)) < l.Events() {
			batch, err := c.TryNext()
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, batch...)
		}
		for _, number := range []uint64{1, 2, 100, 250, 301, 1000} {
			for _, bytes := range []int64{0, 1, 50_000, 200_000, 1 << 40} {
				first, err := before(number, bytes)
				if err != nil || first == 0 || first > number {
					t.Fatalf("%s: %d bytes before %d: %d, %v", where, bytes, number, first, err)
				}
				lie := int64(0)
				for _, e := range events[first-1 : min(number-1, uint64(len(events)))] {
					if e.IsData() {
						lie += int64(len(e.Data))
					}
				}
				if first > 1 && lie < bytes {
					t.Errorf("%s: %d bytes before %d: %d bytes lie behind %d", where, bytes, number, lie, first)
				}
				if lie > bytes+3*256<<10 {
					t.Errorf("%s: %d bytes before %d: %d bytes lie behind %d, far more", where, bytes, number, lie, first)
				}
			}
		}
	}
	check("live", l.Before)
	durably(t, l, session.Noted, nil)
	check("live and on disk", l.Before)
	l.End(session.End{Cause: session.Done})
	sum := <-sealed
	check("the log after it was sealed", l.Before)
	rec, err := s.Recording(sum.ID, sum.Start)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	check("the sealed file", rec.Before)
}
