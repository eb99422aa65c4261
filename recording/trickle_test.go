package recording

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// A live session that says a little now and then had a place in memory for each time, for as long as it lived.
func TestALiveSessionThatTricklesKeepsFewPlacesInMemory(t *testing.T) {
	t.Run("as its journal is long", func(t *testing.T) {
		trickle(t, Options{SegmentSize: 32 << 10, JournalLimit: 64 << 10})
	})
	t.Run("as its places are many", func(t *testing.T) { trickle(t, Options{mostPlaces: 200}) })
}

func trickle(t *testing.T, opt Options) {
	dir := t.TempDir()
	opt.Dir, opt.Sync = dir, SyncNone
	var s *Store
	t.Cleanup(func() { // behind Close
		if n := s.places.Load(); n != 0 {
			t.Errorf("%d places are counted where there are none", n)
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
	for deadline := time.Now().Add(time.Minute); places() > messages/2; {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages have %d places in memory", messages, places())
		}
		durably(t, l, session.Received, []byte("more"))
	}
	if n := s.places.Load(); n < 0 || n > int64(places()) {
		t.Errorf("%d places are counted, of %d in memory", n, places())
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
