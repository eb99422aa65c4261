package recording

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

// adding is the change that adds one note.
func adding(n session.Note) func([]session.Note) ([]session.Note, error) {
	return func(notes []session.Note) ([]session.Note, error) { return append(notes, n), nil }
}

func at(us int64) *int64 { return &us }

// texts is what a session's notes say, in their order.
func texts(t *testing.T, s *Store, id session.ID, start int64) string {
	t.Helper()
	notes, err := s.Notes(id, start)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, n := range notes {
		all = append(all, n.Text)
	}
	return strings.Join(all, " ")
}

// leftovers are the files of one session below the recordings.
func leftovers(t *testing.T, s *Store, id session.ID) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(s.sealedDir(), "*/*/*/*", string(id)+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func TestNotesOfALiveSessionAreThereWhenItIsSealedAndAfterACrash(t *testing.T) {
	sealed := make(chan session.Summary, 1)
	s := openStore(t, Options{OnSealed: func(sum session.Summary) { sealed <- sum }})
	l := begin(t, s, Policy{})
	durably(t, l, session.Received, []byte("x"))
	start := l.about.Describe().Start
	for _, n := range []session.Note{{ID: "c", Text: "late", At: at(9)}, {ID: "b", Text: "early", At: at(2)},
		{ID: "a", Text: "whole", Time: 7}, {ID: "d", Text: "older", Time: 3}} {
		if err := l.EditNotes(adding(n)); err != nil {
			t.Fatal(err)
		}
	}
	const want = "older whole early late"
	if got := texts(t, s, l.id, start); got != want {
		t.Errorf("while it is live: %q; want %q", got, want)
	}
	dir := kill(t, s.opt.Dir)
	if left, err := os.ReadDir(filepath.Join(dir, "journal")); err != nil || len(left) == 0 {
		t.Fatalf("the crash left no journal: %v, %v", left, err)
	}
	again := openStore(t, Options{Dir: dir})
	if got := texts(t, again, l.id, start); got != want {
		t.Errorf("after a crash: %q; want %q", got, want)
	}
	if err := again.EditNotes(l.id, start, adding(session.Note{ID: "e", Text: "behind", At: at(10)})); err != nil {
		t.Errorf("a note on what the crash left: %v", err)
	}
	l.End(session.End{Cause: session.Done})
	sum := <-sealed
	if err := l.EditNotes(adding(session.Note{ID: "e", Text: "over", At: at(10)})); err != nil {
		t.Errorf("a note through a log that ended meanwhile: %v", err)
	}
	if got := texts(t, s, sum.ID, sum.Start); got != want+" over" {
		t.Errorf("once it is sealed: %q; want %q", got, want+" over")
	}
	if all, _ := walked(t, s); len(all) != 1 {
		t.Errorf("Walk gives %v; want the one session", all)
	}
}

func TestNotesGoWithTheirRecording(t *testing.T) {
	s, sums := sealedOnes(t, 2)
	gone, kept := sums[0], sums[1]
	for _, sum := range sums {
		if err := s.EditNotes(sum.ID, sum.Start, adding(session.Note{ID: "a", Text: "x"})); err != nil {
			t.Fatal(err)
		}
	}
	half := notesOf(s.sealedPath(gone.ID, gone.Start)) + ".tmp" // what a crash leaves of a change
	if err := os.WriteFile(half, []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, s, gone.ID, gone.Start); got != "x" {
		t.Errorf("beside half a change the notes are %q", got)
	}
	if err := s.Remove(gone.ID, gone.Start); err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, s, gone.ID); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := s.EditNotes(gone.ID, gone.Start, adding(session.Note{ID: "b"})); !errors.Is(err, ErrNotFound) {
		t.Errorf("a note on what is gone: %v; want ErrNotFound", err)
	}
	if got := texts(t, s, kept.ID, kept.Start); got != "x" {
		t.Errorf("the other's notes are %q", got)
	}
	none := func([]session.Note) ([]session.Note, error) { return nil, nil }
	for range 2 { // a second time changes nothing
		if err := s.EditNotes(kept.ID, kept.Start, none); err != nil {
			t.Fatal(err)
		}
	}
	if left := leftovers(t, s, kept.ID); len(left) != 1 {
		t.Errorf("without notes there is %v; want the recording alone", left)
	}
}

func TestARemovalThatACrashCutShortTakesTheNotesToo(t *testing.T) {
	sealed := make(chan session.Summary, 1)
	s := openStore(t, Options{OnSealed: func(sum session.Summary) { sealed <- sum }})
	holds := begin(t, s, Policy{}) // keeps the segment that holds the other's records
	durably(t, holds, session.Received, []byte("x"))
	l := begin(t, s, Policy{})
	durably(t, l, session.Received, []byte("private"))
	if err := l.EditNotes(adding(session.Note{ID: "a", Text: "private too"})); err != nil {
		t.Fatal(err)
	}
	l.End(session.End{Cause: session.Done})
	sum := <-sealed
	if err := s.noteRemoved(sum.ID, s.sealedPath(sum.ID, sum.Start)); err != nil { // and no further
		t.Fatal(err)
	}
	again := openStore(t, Options{Dir: kill(t, s.opt.Dir)})
	if left := leftovers(t, again, sum.ID); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestASessionThatIsNotRecordedHasNoNotes(t *testing.T) {
	s := openStore(t, Options{})
	l := begin(t, s, Policy{Record: session.RecordOff})
	if err := l.EditNotes(adding(session.Note{ID: "a", Text: "x"})); !errors.Is(err, ErrNotRecorded) {
		t.Errorf("got %v; want ErrNotRecorded", err)
	}
	l.End(session.End{Cause: session.Done})
	if left := leftovers(t, s, l.id); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestManyWhoWriteNotesAtOnceLoseNone(t *testing.T) {
	s := openStore(t, Options{})
	l := begin(t, s, Policy{})
	const writers, each = 8, 10
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				if err := l.EditNotes(adding(session.Note{ID: fmt.Sprint(w, i), Text: "x"})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() { l.End(session.End{Cause: session.Done}) })
	all.Wait()
	if notes, err := s.Notes(l.id, l.about.Describe().Start); err != nil || len(notes) != writers*each {
		t.Errorf("%d notes, %v; want %d", len(notes), err, writers*each)
	}
}

func TestDamagedNotesAreToldAndNotOverwritten(t *testing.T) {
	s, sums := sealedOnes(t, 1)
	sum := sums[0]
	name := notesOf(s.sealedPath(sum.ID, sum.Start))
	if err := os.WriteFile(name, []byte(`[{"id":"a"},`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Notes(sum.ID, sum.Start); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("reading them: %v; want an error that names the file", err)
	}
	if err := s.EditNotes(sum.ID, sum.Start, adding(session.Note{ID: "b"})); err == nil {
		t.Error("they were overwritten")
	}
	var told []Damage
	stats, err := Verify(s.opt.Dir, func(d Damage) { told = append(told, d) })
	if err != nil || len(told) != 1 || told[0].File != name || stats.Damaged != 1 {
		t.Errorf("Verify tells %v, %v; want the notes alone", told, err)
	}
	if err := s.Remove(sum.ID, sum.Start); err != nil || len(leftovers(t, s, sum.ID)) > 0 {
		t.Errorf("Remove: %v, and it leaves %v", err, leftovers(t, s, sum.ID))
	}
}
