package recording

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// tinyDisk is a file system with little room, where the system lets us make one.
func tinyDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small disk cannot be made here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

type states struct{ failed, recovered chan error }

func watchState(opt *Options) states {
	st := states{make(chan error, 10), make(chan error, 10)}
	opt.OnFailed = func(err error) { st.failed <- err }
	opt.OnRecovered = func() { st.recovered <- nil }
	return st
}

func within(t *testing.T, c <-chan error, what string) error {
	t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: not within 20 s", what)
		return nil
	}
}

func TestAFullDiskEndsOrMarksSessionsAsTheirPolicySaysAndRecordingGoesOnByItself(t *testing.T) {
	dir := tinyDisk(t, "3m")
	opt := Options{Dir: dir, SegmentSize: 256 << 10, JournalLimit: 64 << 20, QueueLimit: 1 << 20}
	st := watchState(&opt)
	s := openStore(t, opt)
	told := make(chan error, 1)
	ends, err := s.Begin(&participant{newInfo(), told}, Policy{Record: session.RecordOn, OnFailure: session.OnFailureEnd})
	if err != nil {
		t.Fatal(err)
	}
	ends.Ready()
	goes := begin(t, s, Policy{OnFailure: session.OnFailureContinue})
	data := make([]byte, 16<<10)
	for i := range data {
		data[i] = byte(i * 7919 >> 4)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1200<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	filling := make(chan struct{})
	go func() {
		defer close(filling)
		for s.Err() == nil {
			goes.Append(session.Received, data)
			goes.Flush()
		}
	}()
	err = within(t, st.failed, "the failure")
	<-filling
	if !errors.Is(err, syscall.ENOSPC) || s.Err() == nil {
		t.Errorf("failed with %v, Err %v; want no space", err, s.Err())
	}
	if err := within(t, told, "the session's own failure"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the session is told %v", err)
	}
	if _, err := ends.Append(session.Received, data); err == nil {
		t.Error("a session whose policy is to end records on")
	}
	if _, err := s.Begin(newInfo(), Policy{Record: session.RecordOn, OnFailure: session.OnFailureEnd}); err == nil {
		t.Error("a new session is taken while nothing can be recorded")
	}
	for range 1000 { // none of it waits, and memory stays bounded
		if _, err := goes.Append(session.Received, data); err != nil {
			t.Fatal(err)
		}
	}
	if q := s.Stats().QueuedBytes; q > 4*opt.QueueLimit {
		t.Errorf("%d bytes wait in memory; the limit is %d", q, opt.QueueLimit)
	}
	ends.End(session.End{Cause: session.RecordingFailed})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	within(t, st.recovered, "the recovery")
	if s.Err() != nil {
		t.Errorf("Err %v after the recovery", s.Err())
	}
	last := durably(t, goes, session.Received, []byte("and on"))
	goes.End(session.End{Cause: session.Done})
	events := readAll(t, goes.Cursor(1))
	checkOnceInOrder(t, events, 1)
	gaps, kept := uint64(0), uint64(0)
	for _, e := range events {
		switch e.Kind {
		case session.Gap:
			gaps += missing(t, e).Events
			if missing(t, e).Reason != "recording failed" {
				t.Errorf("gap says %s", e.Data)
			}
		case session.Received:
			kept++
		}
	}
	if total := goes.Totals().ReceivedEvents; gaps == 0 || gaps+kept != total {
		t.Errorf("%d events kept and %d marked as missing; %d came", kept, gaps, total)
	}
	if string(events[last-1].Data) != "and on" {
		t.Errorf("event %d says %.20q", last, events[last-1].Data)
	}
}

func TestAJournalFolderThatIsReplacedByAFileFailsWithSomethingToDo(t *testing.T) {
	dir := t.TempDir()
	opt := Options{Dir: dir, SegmentSize: 32 << 10}
	st := watchState(&opt)
	s := openStore(t, opt)
	l := begin(t, s, Policy{})
	durably(t, l, session.Received, []byte("before"))
	journal := filepath.Join(dir, "journal")
	if err := os.RemoveAll(journal); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(journal, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				l.Append(session.Received, fmt.Appendf(nil, "%0*d", 4000, i))
				l.Flush()
			}
		}
	}()
	err := within(t, st.failed, "the failure")
	close(stop)
	if err == nil || len(err.Error()) < 40 {
		t.Errorf("failed with %v; want what to do", err)
	}
	if err := os.Remove(journal); err != nil {
		t.Fatal(err)
	}
	within(t, st.recovered, "the recovery")
	durably(t, l, session.Received, []byte("after"))
	l.End(session.End{Cause: session.Done})
	events := readAll(t, l.Cursor(1))
	checkOnceInOrder(t, events, 1)
	if string(events[1].Data) != "before" || string(events[len(events)-2].Data) != "after" {
		t.Errorf("events say %.10q … %.10q", events[1].Data, events[len(events)-2].Data)
	}
}
