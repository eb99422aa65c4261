package recording

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// sealedOnes makes sealed recordings in a folder, and returns its store.
func sealedOnes(t *testing.T, n int) (*Store, []session.Summary) {
	t.Helper()
	sealed := make(chan session.Summary, n)
	s := openStore(t, Options{OnSealed: func(sum session.Summary) { sealed <- sum }})
	var sums []session.Summary
	for range n {
		l := begin(t, s, Policy{})
		l.End(session.End{Cause: session.Done})
		sums = append(sums, <-sealed)
	}
	return s, sums
}

// walked is which sessions Walk gives, and which of them are pinned.
func walked(t *testing.T, s *Store) (all, pinned []session.ID) {
	t.Helper()
	if err := s.Walk(func(sum session.Summary) error {
		all = append(all, sum.ID)
		if sum.Pinned {
			pinned = append(pinned, sum.ID)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all, pinned
}

func TestAPinLiesBesideTheRecordingAndKeepsIt(t *testing.T) {
	s, sums := sealedOnes(t, 2)
	kept, other := sums[0], sums[1]
	if err := s.SetPinned(kept.ID, kept.Start, true); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(kept.ID, kept.Start); !errors.Is(err, ErrPinned) {
		t.Errorf("Remove of a pinned recording: %v; want ErrPinned", err)
	}
	again := openStore(t, Options{Dir: kill(t, s.opt.Dir)})
	if all, pinned := walked(t, again); len(all) != 2 || !slices.Equal(pinned, []session.ID{kept.ID}) {
		t.Errorf("the next start finds %v, and %v pinned; want both, and %s pinned", all, pinned, kept.ID)
	}
	if !again.Pinned(kept.ID, kept.Start) || again.Pinned(other.ID, other.Start) {
		t.Error("the next start takes the wrong one for pinned")
	}
	for range 2 { // a second time changes nothing
		if err := s.SetPinned(kept.ID, kept.Start, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Remove(kept.ID, kept.Start); err != nil {
		t.Errorf("Remove after unpinning: %v", err)
	}
	if err := s.SetPinned(kept.ID, kept.Start, true); !errors.Is(err, ErrNotFound) {
		t.Errorf("pinning what was removed: %v; want ErrNotFound", err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.sealedDir(), "*/*/*/*/*")); len(left) != 1 {
		t.Errorf("left: %v; want the other recording alone", left)
	}
}

func TestAPinWhoseRecordingIsGonePinsNothing(t *testing.T) {
	s, sums := sealedOnes(t, 1)
	sum := sums[0]
	if err := s.SetPinned(sum.ID, sum.Start, true); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.sealedPath(sum.ID, sum.Start)); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(sum.ID, sum.Start); err != nil {
		t.Errorf("Remove: %v; want it done", err)
	}
	if s.Pinned(sum.ID, sum.Start) {
		t.Error("the pin outlived the removal")
	}
}

func TestAFoldersHoursAreGivenInOrder(t *testing.T) {
	s, sums := sealedOnes(t, 3)
	for _, name := range []string{"2024/02/29/23", "2024/03/01/00", "2024/13/01/00", "notes/of/some/body"} {
		if err := os.MkdirAll(filepath.Join(s.sealedDir(), name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	hours, err := s.Hours()
	if err != nil {
		t.Fatal(err)
	}
	last := time.UnixMicro(sums[2].Start).UTC().Truncate(time.Hour)
	want := []time.Time{time.Date(2024, 2, 29, 23, 0, 0, 0, time.UTC), time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)}
	if len(hours) < 3 || !slices.Equal(hours[:2], want) || hours[len(hours)-1] != last {
		t.Errorf("Hours = %v; want %v, then up to %v", hours, want, last)
	}
}

func TestARecordingInTheWrongPlaceIsNotTaken(t *testing.T) {
	s, sums := sealedOnes(t, 1)
	sum := sums[0]
	old := time.Date(2024, 2, 29, 23, 0, 0, 0, time.UTC)
	moved := s.sealedPath(sum.ID, old.UnixMicro())
	if err := os.MkdirAll(filepath.Dir(moved), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.sealedPath(sum.ID, sum.Start), moved); err != nil {
		t.Fatal(err)
	}
	if all, _ := walked(t, s); len(all) != 0 {
		t.Errorf("Walk gives %v, which cannot be opened by its start", all)
	}
}
