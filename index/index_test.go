package index

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	s := session.Summary{State: session.Recorded, End: int64(2000 + i), Cause: session.HungUp, By: "ann", Reason: "r",
		Detail: "d", Code: 3, Events: 5, Size: 100,
		Totals: session.Totals{ReceivedBytes: 1, ReceivedEvents: 2, SentBytes: 3, SentEvents: 4}}
	s.Info = session.Info{ID: session.ID(fmt.Sprintf("%012d-n1", i)), Listener: "l", Service: "echo", Transport: "tcp",
		Local: "a", Remote: fmt.Sprintf("10.0.0.%d:1", i),
		Name: fmt.Sprintf("Gerät %d 设备", i), Start: int64(1000 + i), Record: session.RecordOn,
		Terminal: "80x24"}
	return s
}

func ids(list []session.Summary) (ids []session.ID) {
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids
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
	for _, f := range []Filter{{}, {Rooms: true}, {Listener: "b"}, {Cause: session.Kicked}, {Name: "GERÄT 1"},
		{Name: "设备"}, {Remote: "0.2"}, {Since: 2010, Until: 1020}, {Transport: "room"}, {Prefix: "00000000001"},
		{Listener: "a", Name: "2", Rooms: true}, {Name: "%"}} {
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

func TestSinceAsksWhoWasThereAndUntilWhoHadBegun(t *testing.T) {
	x := openIndex(t, filepath.Join(t.TempDir(), "index.db"))
	ctx := context.Background()
	lasting := func(i int, start, end int64) session.Summary {
		s := sample(i)
		s.Start, s.End = start, end
		return s
	}
	before, across, after := lasting(1, 100, 199), lasting(2, 100, 200), lasting(3, 200, 300)
	live := sample(4)
	live.State, live.Start, live.End, live.Cause = session.Live, 50, 0, ""
	if err := x.Add(ctx, []session.Summary{before, across, after}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		f    Filter
		want []session.Summary // recorded ones, the newest start first
		live bool
	}{
		{Filter{Since: 200}, []session.Summary{after, across}, true},
		{Filter{Since: 301}, nil, true},
		{Filter{Until: 200}, []session.Summary{before, across}, true},
		{Filter{Until: 50}, nil, false},
		{Filter{Since: 200, Until: 200}, []session.Summary{across}, true},
	} {
		list, err := x.List(ctx, c.f)
		if err != nil || !slices.Equal(list, c.want) {
			t.Errorf("%+v: got %v, %v; want %v", c.f, ids(list), err, ids(c.want))
		}
		for _, s := range []session.Summary{before, across, after} {
			if got := c.f.Match(&s); got != slices.Contains(c.want, s) {
				t.Errorf("%+v: Match says %v of %s, from %d to %d", c.f, got, s.ID, s.Start, s.End)
			}
		}
		if got := c.f.Match(&live); got != c.live {
			t.Errorf("%+v: Match says %v of a live session; want %v", c.f, got, c.live)
		}
	}
}

func TestAPinSurvivesAndTheOldestAreThoseNotPinned(t *testing.T) {
	x := openIndex(t, filepath.Join(t.TempDir(), "index.db"))
	ctx := context.Background()
	x.Add(ctx, []session.Summary{sample(1), sample(2)})
	if err := x.SetPinned(ctx, true, sample(1).ID); err != nil {
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

func TestOnlyAnIndexThatWasClosedAsCompleteIsComplete(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	ctx := context.Background()
	for i, want := range []bool{false, false, true, false} { // the mark is set at the end of the second round
		x := openIndex(t, path)
		if x.Complete() != want {
			t.Errorf("round %d: Complete = %v; want %v", i, x.Complete(), want)
		}
		if i == 1 {
			if err := x.SetComplete(ctx); err != nil {
				t.Fatal(err)
			}
		}
		x.Close()
	}
}

func TestCardsComeInPagesTheNewestFirst(t *testing.T) {
	x := openIndex(t, filepath.Join(t.TempDir(), "index.db"))
	ctx := context.Background()
	var all []session.Summary
	for i := range 25 {
		s := sample(i)
		s.Start, s.Pinned = int64(1000+i/10), i == 7 // many begin at one time
		all = append(all, s)
	}
	if err := x.Add(ctx, all); err != nil {
		t.Fatal(err)
	}
	seen := map[session.ID]bool{}
	last := Card{Start: 1001}
	for {
		cards, err := x.Cards(ctx, 1000, last, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(cards) == 0 {
			break
		}
		for _, c := range cards {
			if seen[c.ID] || c.Start > last.Start || c.Pinned != (c.ID == all[7].ID) {
				t.Errorf("got %+v behind %+v", c, last)
			}
			seen[c.ID] = true
			last = c
		}
	}
	if len(seen) != 20 {
		t.Errorf("got %d cards; want the 20 that began from 1000 to 1001", len(seen))
	}
	sessions, pinned, err := x.Began(ctx, 1000, 1002)
	if sessions != 20 || pinned != 1 || err != nil {
		t.Errorf("Began = %d, %d, %v; want 20, one of them pinned", sessions, pinned, err)
	}
	lacking, err := x.Lacking(ctx, []session.ID{all[0].ID, "nobody-n1", all[24].ID})
	if err != nil || len(lacking) != 1 || lacking[0] != "nobody-n1" {
		t.Errorf("Lacking = %v, %v; want the one that is not there", lacking, err)
	}
	if err := x.Delete(ctx); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
}

func TestADamagedIndexIsMovedAsideAndMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	x := openIndex(t, path)
	if err := x.SetComplete(context.Background()); err != nil {
		t.Fatal(err)
	}
	x.Close()
	text := []byte("this is no database, and long enough to be looked at as one")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if damaged := openIndex(t, path); damaged.Complete() {
		t.Error("the index made in place of a damaged one is complete")
	}
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Errorf("the damaged index is gone: %v", err)
	}
}
