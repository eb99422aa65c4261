package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// cassette is a tape in memory.
type cassette []session.Event

func (c cassette) feed(ctx context.Context, from place, pages chan<- page) {
	defer close(pages)
	for _, ev := range c {
		if ev.Number < from.number || ev.Time < lineStart+from.offset.Microseconds() {
			continue
		}
		if !pass(ctx, pages, page{events: []session.Event{ev}}) {
			return
		}
	}
}

// everySecond has n events, the first at 0 s and the last closing.
func everySecond(n int) (c cassette) {
	for i := range n {
		ev := sent(fmt.Sprint(i))
		ev.Number, ev.Time = uint64(i+1), lineStart+int64(i)*1e6
		if i == n-1 {
			ev.Kind, ev.Data = session.Closed, session.JSON(session.End{Cause: session.Done})
		}
		c = append(c, ev)
	}
	return c
}

// stopwatch notes when each write came.
type stopwatch struct {
	began time.Time
	notes []string
}

func (s *stopwatch) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		text := strings.TrimSpace(line)
		if fields := strings.Fields(text); len(fields) > 2 && fields[0] != "──" {
			text = strings.Join(fields[2:], " ")
		}
		s.notes = append(s.notes, fmt.Sprintf("%v %s", time.Since(s.began), text))
	}
	return len(p), nil
}

// played runs a player over a tape on a clock of its own; press is called beside it.
func played(t *testing.T, c cassette, change func(*player), from place, press func(chan<- key)) []string {
	t.Helper()
	var watch stopwatch
	synctest.Test(t, func(t *testing.T) {
		watch.began = time.Now()
		out := bufio.NewWriter(&watch)
		keys := make(chan key)
		length := micros(c[len(c)-1].Time - lineStart)
		p := &player{tape: c, start: lineStart, length: length, speed: 1, out: out, keys: keys,
			view: newView(out, viewFlags{Direction: "both"}, lineStart, false)}
		change(p)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if press != nil {
				press(keys)
			}
		}()
		if err := p.run(t.Context(), from); err != nil {
			t.Errorf("run: %v", err)
		}
		<-done
	})
	return watch.notes
}

func expectNotes(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func asItIs(*player) {}

func TestPlayKeepsTheOriginalTiming(t *testing.T) {
	got := played(t, everySecond(4), asItIs, place{}, nil)
	expectNotes(t, got, `0s sent "0"`, `1s sent "1"`, `2s sent "2"`, `3s closed done`)
}

func TestPlayAtAnotherSpeed(t *testing.T) {
	got := played(t, everySecond(3), func(p *player) { p.speed = 4 }, place{}, nil)
	expectNotes(t, got, `0s sent "0"`, `250ms sent "1"`, `500ms closed done`)
	got = played(t, everySecond(3), func(p *player) { p.speed = 0.5 }, place{}, nil)
	expectNotes(t, got, `0s sent "0"`, `2s sent "1"`, `4s closed done`)
}

func TestPlayDoesNotDrift(t *testing.T) {
	tape := everySecond(2000)
	for i := range tape {
		tape[i].Time = lineStart + int64(i)*333_333
	}
	got := played(t, tape, func(p *player) { p.speed = 3 }, place{}, nil)
	if want := fmt.Sprintf("%v closed done", time.Duration(1999*333_333)*time.Microsecond/3); got[len(got)-1] != want {
		t.Errorf("the last of 2000 events: got %q, want %q", got[len(got)-1], want)
	}
}

func TestPlayCutsSilences(t *testing.T) {
	tape := everySecond(4)
	tape[2].Time += 3600e6
	tape[3].Time += 3600e6
	got := played(t, tape, func(p *player) { p.idle = 2 * time.Second }, place{}, nil)
	expectNotes(t, got, `0s sent "0"`, `1s sent "1"`, `3s sent "2"`, `4s closed done`)
	got = played(t, tape, func(p *player) { p.idle, p.speed = 2*time.Second, 2 }, place{}, nil)
	expectNotes(t, got, `0s sent "0"`, `500ms sent "1"`, `1.5s sent "2"`, `2s closed done`)
}

func TestPlayBeginsAtATimeOrAnEvent(t *testing.T) {
	got := played(t, everySecond(5), asItIs, place{offset: 2500 * time.Millisecond}, nil)
	expectNotes(t, got, `500ms sent "3"`, `1.5s closed done`)
	got = played(t, everySecond(5), asItIs, place{number: 3}, nil)
	expectNotes(t, got, `0s sent "2"`, `1s sent "3"`, `2s closed done`)
}

func TestPlayPausesAndStepsAndGoesOn(t *testing.T) {
	got := played(t, everySecond(5), asItIs, place{}, func(keys chan<- key) {
		time.Sleep(500 * time.Millisecond)
		keys <- keyPause
		time.Sleep(time.Hour)
		keys <- keyStep
		time.Sleep(time.Minute)
		keys <- keyStep
		time.Sleep(time.Minute)
		keys <- keyPause
	})
	expectNotes(t, got, `0s sent "0"`, `1h0m0.5s sent "1"`, `1h1m0.5s sent "2"`, `1h2m1.5s sent "3"`,
		`1h2m2.5s closed done`)
}

func TestPlayChangesItsSpeedWhereItIs(t *testing.T) {
	got := played(t, everySecond(5), asItIs, place{}, func(keys chan<- key) {
		time.Sleep(1500 * time.Millisecond)
		keys <- keyFaster
		time.Sleep(500 * time.Millisecond)
		keys <- keySlower
	})
	expectNotes(t, got, `0s sent "0"`, `1s sent "1"`, `1.75s sent "2"`, `2.5s sent "3"`, `3.5s closed done`)
}

func TestPlaySeeksBothWaysAndStopsAtTheEdges(t *testing.T) {
	got := played(t, everySecond(20), asItIs, place{}, func(keys chan<- key) {
		time.Sleep(1500 * time.Millisecond)
		keys <- keyForward // to 6.5 s
		time.Sleep(time.Second)
		keys <- keyBack // to 2.5 s
		time.Sleep(time.Second)
		keys <- keyBack // to 0 s
		time.Sleep(500 * time.Millisecond)
		for range 3 {
			keys <- keyForward // to 15.5 s
		}
		keys <- keyForward // to the end
	})
	expectNotes(t, got, `0s sent "0"`, `1s sent "1"`, `1.5s ── 0:06 ──`, `2s sent "7"`, `2.5s ── 0:02 ──`,
		`3s sent "3"`, `3.5s ── 0:00 ──`, `3.5s sent "0"`, `4s ── 0:05 ──`, `4s ── 0:10 ──`, `4s ── 0:15 ──`,
		`4s ── 0:19 ──`, `4s closed done`)
}

func TestPlayQuitsAtOnce(t *testing.T) {
	got := played(t, everySecond(5), asItIs, place{}, func(keys chan<- key) {
		time.Sleep(1500 * time.Millisecond)
		keys <- keyQuit
	})
	expectNotes(t, got, `0s sent "0"`, `1s sent "1"`)
}

func TestRawPlaySeeksByDrawingAllThatComesBefore(t *testing.T) {
	raw := func(p *player) { p.raw, p.view.Raw = true, true }
	got := played(t, everySecond(30), raw, place{}, func(keys chan<- key) {
		time.Sleep(1500 * time.Millisecond)
		keys <- keyForward // to 6.5 s: all up to 6 at once
		time.Sleep(time.Second)
		keys <- keyBack // to 2.5 s: a new screen and all up to 2
		time.Sleep(100 * time.Millisecond)
		keys <- keyQuit
	})
	if all := strings.Join(got, "|"); all != "0s 0|1s 1|1.5s 23456|2s 7|2.5s \x1bc0|2.5s 1|2.5s 2" &&
		all != "0s 0|1s 1|1.5s 2|1.5s 3|1.5s 4|1.5s 5|1.5s 6|2s 7|2.5s \x1bc|2.5s 0|2.5s 1|2.5s 2" {
		t.Errorf("got %q", all)
	}
}

func TestRawPlaySeeksByTheScreenWhereThatIsKnown(t *testing.T) {
	raw := func(p *player) {
		p.raw, p.view.Raw = true, true
		p.draw = func(_ context.Context, m moment) (shot, error) {
			return shot{Number: uint64(m.time.Seconds()) + 1, Data: fmt.Appendf(nil, "[screen:%v]", m.time)}, nil
		}
	}
	got := played(t, everySecond(30), raw, place{}, func(keys chan<- key) {
		time.Sleep(1500 * time.Millisecond)
		keys <- keyForward // to 6.5 s
		time.Sleep(time.Second)
		keys <- keyBack // to 2.5 s
		time.Sleep(100 * time.Millisecond)
		keys <- keyQuit
	})
	if all := strings.Join(got, "|"); all != "0s 0|1s 1|1.5s [screen:6.5s]|2s 7|2.5s [screen:2.5s]" {
		t.Errorf("got %q", all)
	}
}

func TestKeysAreReadFromWhatTerminalsSend(t *testing.T) {
	in := bufio.NewReader(bytes.NewReader([]byte(" \x1b[C\x1bOD\x1b[1;5A\x1b[B.x q\x03")))
	want := []key{keyPause, keyForward, keyBack, keyFaster, keySlower, keyStep, keyNone, keyPause, keyQuit, keyQuit}
	for i, w := range want {
		if got, err := readKey(in); err != nil || got != w {
			t.Errorf("key %d: got %v, %v, want %v", i, got, err, w)
		}
	}
}
