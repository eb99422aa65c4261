package index

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

func openIndex(t *testing.T, path string) *Index {
	t.Helper()
	x, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func sample(i int) session.Summary {
	s := session.Summary{State: session.Recorded, End: int64(2000 + i), Cause: session.HungUp, By: "ann", Reason: "r", Detail: "d",
		Events: 5, Size: 100, Totals: session.Totals{ReceivedBytes: 1, ReceivedEvents: 2, SentBytes: 3, SentEvents: 4}}
	s.Info = session.Info{ID: session.ID(fmt.Sprintf("%012d-n1", i)), Listener: "l", Service: "echo", Transport: "tcp", Local: "a",
		Remote: fmt.Sprintf("10.0.0.%d:1", i), Name: fmt.Sprintf("Gerät %d 设备", i), Start: int64(1000 + i), Record: session.RecordOn}
	return s
}

func TestWhatIsAddedComesBackWholeNewestFirst(t *testing.T) {
	x := openIndex(t, filepath.Join(t.TempDir(), "odd name?#.db"))
	ctx := context.Background()
	if err := x.Add(ctx, []session.Summary{sample(1), sample(2), sample(3)}); err != nil {
		t.Fatal(err)
	}
	list, err := x.List(ctx, Filter{})
	if err != nil || len(list) != 3 || list[0] != sample(3) || list[2] != sample(1) {
		t.Fatalf("got %+v, %v; want 3, 2, 1 as they were added", list, err)
	}
	if n, size, err := x.Count(ctx); n != 3 || size != 300 || err != nil {
		t.Errorf("Count = %d, %d, %v; want 3 sessions of 300 bytes", n, size, err)
	}
}

func TestTheFilterMeansTheSameInMemoryAndInTheIndex(t *testing.T) {
	x := openIndex(t, filepath.Join(t.TempDir(), "index.db"))
	ctx := context.Background()
	var all []session.Summary
	for i := range 30 {
		s := sample(i)
		s.Listener = []string{"a", "b", "c"}[i%3]
		s.Cause = session.Causes[i%5]
		if i%7 == 0 {
			s.Transport = "room"
		}
		all = append(all, s)
	}
	if err := x.Add(ctx, all); err != nil {
		t.Fatal(err)
	}
	for _, f := range []Filter{{}, {Rooms: true}, {Listener: "b"}, {Cause: session.Kicked}, {Name: "GERÄT 1"}, {Name: "设备"}, {Remote: "0.2"},
		{Since: 1010, Until: 1020}, {Transport: "room"}, {Prefix: "00000000001"}, {Listener: "a", Name: "2", Rooms: true}, {Name: "%"}} {
		want := map[session.ID]bool{}
		for i := range all {
			if f.Match(&all[i]) {
				want[all[i].ID] = true
			}
		}
		list, err := x.List(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if !want[s.ID] {
				t.Errorf("%+v: the index gives %s, which does not match", f, s.ID)
			}
			delete(want, s.ID)
		}
		if len(want) > 0 {
			t.Errorf("%+v: the index lacks %v", f, want)
		}
	}
	if list, _ := x.List(ctx, Filter{Limit: 4}); len(list) != 4 {
		t.Errorf("limit 4 gives %d", len(list))
	}
}

func TestAPinSurvivesAndTheOldestAreThoseNotPinned(t *testing.T) {
	x := openIndex(t, filepath.Join(t.TempDir(), "index.db"))
	ctx := context.Background()
	x.Add(ctx, []session.Summary{sample(1), sample(2)})
	if err := x.SetPinned(ctx, sample(1).ID, true); err != nil {
		t.Fatal(err)
	}
	x.Add(ctx, []session.Summary{sample(1)})
	list, err := x.Oldest(ctx, 10)
	if err != nil || len(list) != 1 || list[0].ID != sample(2).ID {
		t.Errorf("Oldest = %v, %v; want only the one that is not pinned", list, err)
	}
	if err := x.Delete(ctx, sample(2).ID); err != nil {
		t.Fatal(err)
	}
	if n, size, _ := x.Count(ctx); n != 1 || size != 100 {
		t.Errorf("after Delete: %d sessions of %d bytes; want 1 of 100", n, size)
	}
}

func TestADamagedIndexIsMovedAsideAndMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	x := openIndex(t, path)
	if !x.Fresh() {
		t.Error("a new index is not fresh")
	}
	x.Close()
	if again := openIndex(t, path); again.Fresh() {
		t.Error("an index that was there is fresh")
	} else {
		again.Close()
	}
	if err := os.WriteFile(path, []byte("this is no database, and long enough to be looked at as one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if damaged := openIndex(t, path); !damaged.Fresh() {
		t.Error("the index made in place of a damaged one is not fresh")
	}
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Errorf("the damaged index is gone: %v", err)
	}
}
