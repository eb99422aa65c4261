package recording

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// A live session that says a little now and then had a place in memory for each time, for as long as it lived.
func TestALiveSessionThatTricklesKeepsFewPlacesInMemory(t *testing.T) {
	t.Run("as its journal is long", func(t *testing.T) {
		trickle(t, Options{SegmentSize: 32 << 10, JournalLimit: 64 << 10}, 1500)
	})
	t.Run("as its places are many", func(t *testing.T) { trickle(t, Options{mostPlaces: 100}, 200) })
}

func trickle(t *testing.T, opt Options, most int) {
	dir := t.TempDir()
	opt.Dir, opt.Sync = dir, SyncNone
	var s *Store
	t.Cleanup(func() { // behind Close
		if n := s.places.Load(); n != 0 {
			t.Errorf("%d places are counted where there are none", n)
		}
		stats, err := Verify(dir, func(d Damage) { t.Errorf("damage: %+v", d) })
		if err != nil || stats.Files < 2 {
			t.Errorf("verified: %+v, %v", stats, err)
		}
	})
	s = openStore(t, opt)
	l := begin(t, s, Policy{})
	places := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.durable)
	}
	early := l.Cursor(1)
	var before []session.Event
	const messages = 3000
	for i := range messages {
		durably(t, l, session.Received, fmt.Appendf(nil, "message %d", i))
		if i == messages/2 { // somebody is in the midst of what will be joined
			for len(before) < messages/3 {
				events, err := early.Next(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range events {
					e.Data = append([]byte(nil), e.Data...)
					before = append(before, e)
				}
			}
		}
	}
	for deadline := time.Now().Add(time.Minute); places() > most; {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages have %d places in memory", messages, places())
		}
		s.smu.Lock()
		short := len(s.segments) == 0 || !s.segments[0].full.Load() // as it can be, until more comes
		s.smu.Unlock()
		if short {
			durably(t, l, session.Received, []byte("more"))
		}
		runtime.Gosched()
	}
	live := l.Cursor(messages / 7)
	a, err := l.Activity(context.Background(), 0, 0, 100)
	if err != nil || sumOf(a.Received) != l.Totals().ReceivedBytes {
		t.Errorf("%d bytes passed over time, %d in all, %v", sumOf(a.Received), l.Totals().ReceivedBytes, err)
	}
	killed := openStore(t, Options{Dir: killAtRest(t, dir)})
	l.End(session.End{Cause: session.HungUp})
	rest := readAll(t, early)
	checkOnceInOrder(t, readAll(t, live), messages/7)
	all := append(before, rest...)
	checkOnceInOrder(t, all, 1)
	for i := range messages {
		if got, want := string(all[i+1].Data), fmt.Sprintf("message %d", i); got != want {
			t.Fatalf("event %d is %q; want %q", i+2, got, want)
		}
	}
	awaitMoved(t, s, l)
	r, err := s.Recording(l.ID(), all[0].Time)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := readAll(t, r.Cursor(1)); !reflect.DeepEqual(got, all) {
		t.Errorf("the recording has %d events that are not the %d of the live session", len(got), len(all))
	}
	k, err := killed.Recording(l.ID(), all[0].Time)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	got := readAll(t, k.Cursor(1))
	checkOnceInOrder(t, got, 1)
	if n := len(all) - 1; len(got) != n+1 || !reflect.DeepEqual(got[:n], all[:n]) {
		t.Errorf("behind a kill the recording has %d events; want the same %d, and its end", len(got), n)
	}
}

// killAtRest is kill at a moment in which the journal is not being shortened: a copy is not made at once.
func killAtRest(t *testing.T, from string) (dir string) {
	t.Helper()
	files := func() (list []string) {
		filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				if info, err := d.Info(); err == nil {
					list = append(list, fmt.Sprint(path, info.Size()))
				}
			}
			return nil
		})
		return list
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		dir = t.TempDir()
		before := files()
		if os.CopyFS(dir, os.DirFS(from)) == nil && slices.Equal(before, files()) {
			return dir
		}
	}
	t.Fatal("the journal never rests")
	return ""
}

// What is joined is written anew behind what is there already, which a crash may interrupt at any byte.
func TestACrashWhileTheJournalIsShortenedLosesNothing(t *testing.T) {
	t.Run("for the first time", func(t *testing.T) { shortenAndCrash(t, 1) })
	t.Run("once more", func(t *testing.T) { shortenAndCrash(t, 3) })
}

func shortenAndCrash(t *testing.T, rounds int) {
	dir := t.TempDir()
	s := openStore(t, Options{Dir: dir, Sync: SyncNone, SegmentSize: 3 << 10})
	l := begin(t, s, Policy{})
	messages := 0
	var size int64
	for round := range rounds { // the journal has nothing to do while it is shortened
		var oldest *segment
		for oldest == nil || !oldest.full.Load() {
			durably(t, l, session.Received, fmt.Appendf(nil, "message %d", messages))
			messages++
			s.smu.Lock()
			oldest = s.segments[0]
			s.smu.Unlock()
		}
		m, err := s.copyToPart(l, oldest)
		if err != nil {
			t.Fatal(err)
		}
		if round == rounds-1 {
			if rounds > 1 && m.tail == 0 {
				t.Fatal("nothing of before is joined once more")
			}
			break
		}
		m.apply()
		s.retireSegments()
		size = m.size
	}
	part := filepath.Join("journal", string(l.ID())+".part")
	info, err := os.Stat(filepath.Join(dir, part))
	if err != nil || info.Size() <= size {
		t.Fatalf("%v, %v", info, err)
	}
	for cut := size; cut <= info.Size(); cut += 1 + info.Size()/24 {
		for _, how := range []string{"the file ends", "zeros follow"} {
			killed := kill(t, dir)
			path := filepath.Join(killed, part)
			if err := os.Truncate(path, cut); err != nil {
				t.Fatal(err)
			}
			if how == "zeros follow" {
				if err := os.Truncate(path, info.Size()); err != nil {
					t.Fatal(err)
				}
			}
			again := openStore(t, Options{Dir: killed, Sync: SyncNone})
			r, err := again.Recording(l.ID(), l.about.Describe().Start)
			if err != nil {
				t.Fatalf("%s behind %d of %d bytes: %v", how, cut, info.Size(), err)
			}
			all := readAll(t, r.Cursor(1))
			r.Close()
			checkOnceInOrder(t, all, 1)
			if len(all) != messages+2 {
				t.Fatalf("%s behind %d of %d bytes: %d events of %d", how, cut, info.Size(), len(all), messages+2)
			}
			for i := range messages {
				if got, want := string(all[i+1].Data), fmt.Sprintf("message %d", i); got != want {
					t.Fatalf("%s behind %d of %d bytes: event %d is %q; want %q", how, cut, info.Size(), i+2, got, want)
				}
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
			if _, err := Verify(killed, func(d Damage) { t.Errorf("%s behind %d of %d bytes: %+v", how, cut, info.Size(), d) }); err != nil {
				t.Error(err)
			}
		}
	}
}
