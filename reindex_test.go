package switchboard_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/session"
)

var sink = switchboard.ListenerConfig{Name: "line", Listen: "tcp://127.0.0.1:0", Service: "sink"}

// record makes one more recorded session, waits until the index has it, and returns it.
func record(t *testing.T, sb *switchboard.Switchboard) session.Summary {
	t.Helper()
	ctx := context.Background()
	before, err := sb.Hub().Stats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, "tcp", sb.Addr("line"))
	c.Write([]byte("something"))
	c.Close()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		now, err := sb.Hub().Stats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if now.Recorded == before.Recorded+1 {
			return sessions(t, sb, session.Recorded, now.Recorded)[0]
		}
	}
	t.Fatal("the session is not in the index")
	return session.Summary{}
}

// copyFolder copies what a machine that stops now would leave.
func copyFolder(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func glob(t *testing.T, elem ...string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// indexed waits until the list of recorded sessions is as it should be.
func indexed(t *testing.T, sb *switchboard.Switchboard, what string, is func([]session.Summary) bool) {
	t.Helper()
	var list []session.Summary
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		var err error
		if list, err = sb.Hub().List(context.Background(), session.Recorded, index.Filter{}); err != nil {
			t.Fatal(err)
		}
		if is(list) {
			return
		}
	}
	t.Fatalf("listed: %+v; want %s", list, what)
}

func TestTheIndexCatchesUpWithTheRecordingsAfterACrash(t *testing.T) {
	dir := t.TempDir()
	sb := start(t, dir, sink)
	gone, kept := record(t, sb), record(t, sb)
	older := copyFolder(t, dir) // its index knows nothing of what follows
	lost := record(t, sb)
	if err := sb.Hub().Pin(context.Background(), kept.ID, true); err != nil {
		t.Fatal(err)
	}
	crashed := copyFolder(t, dir)
	for _, name := range append(glob(t, crashed, "index.db*"), glob(t, crashed, "journal", "*.seg")...) {
		os.Remove(name)
	}
	for _, name := range glob(t, older, "index.db*") {
		if err := os.Rename(name, filepath.Join(crashed, filepath.Base(name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range glob(t, crashed, "recordings", "*", "*", "*", "*", string(gone.ID)+".sbr") {
		os.Remove(name)
	}
	folder := filepath.Dir(glob(t, crashed, "recordings", "*", "*", "*", "*", string(kept.ID)+".sbr")[0])
	unreadable := filepath.Join(folder, string(session.NewID("n1"))+".sbr")
	if err := os.WriteFile(unreadable, []byte("no recording"), 0o600); err != nil {
		t.Fatal(err)
	}
	after := start(t, crashed, sink)
	indexed(t, after, "the one that was lost and the pinned one, without the one that is gone",
		func(list []session.Summary) bool {
			return len(list) == 2 && list[0].ID == lost.ID && list[0].Size > 0 && list[1].ID == kept.ID && list[1].Pinned
		})
}

func TestAnIndexIsLeftCompleteByAStopAndByNothingElse(t *testing.T) {
	dir := t.TempDir()
	sb := start(t, dir, sink)
	record(t, sb)
	crashed := copyFolder(t, dir)
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{dir: true, crashed: false} {
		x, err := index.Open(filepath.Join(dir, "index.db"))
		if err != nil {
			t.Fatal(err)
		}
		if x.Complete() != want {
			t.Errorf("Complete = %v; want %v", x.Complete(), want)
		}
		x.Close()
	}
}

func TestAPinOutlivesTheIndex(t *testing.T) {
	dir := t.TempDir()
	sb := start(t, dir, sink)
	kept, other := record(t, sb), record(t, sb)
	ctx := context.Background()
	if err := sb.Hub().Pin(ctx, kept.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range glob(t, dir, "index.db*") {
		os.Remove(name)
	}
	again := start(t, dir, sink)
	indexed(t, again, "both, and one pinned", func(list []session.Summary) bool {
		pinned := slices.IndexFunc(list, func(s session.Summary) bool { return s.Pinned })
		return len(list) == 2 && pinned >= 0 && list[pinned].ID == kept.ID
	})
	if err := again.Hub().Delete(ctx, kept.ID); !errors.Is(err, hub.ErrPinned) {
		t.Errorf("Delete of the pinned one: %v; want ErrPinned", err)
	}
	if err := again.Hub().Delete(ctx, other.ID); err != nil {
		t.Errorf("Delete of the other: %v", err)
	}
	if err := again.Hub().Pin(ctx, kept.ID, false); err != nil {
		t.Fatal(err)
	}
	if err := again.Hub().Delete(ctx, kept.ID); err != nil {
		t.Errorf("Delete after unpinning: %v", err)
	}
	if left := glob(t, dir, "recordings", "*", "*", "*", "*", "*"); len(left) > 0 {
		t.Errorf("left on disk: %v", left)
	}
}
