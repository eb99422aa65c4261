package hub_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	tapes "github.com/switchboard-relay/switchboard/foreign"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/session"
)

func tape(t *testing.T, text string) tapes.Tape {
	t.Helper()
	tape, err := tapes.Open(strings.NewReader(text), tapes.Unknown)
	if err != nil {
		t.Fatal(err)
	}
	return tape
}

const old = `{"version":3,"term":{"cols":0,"rows":0},"timestamp":1700000000}` + "\n" + `[1,"o","x"]` + "\n" + `[1,"x","3"]`

func TestAnImportOfWhatEndedLongAgoIsPinnedWhereRetentionWouldRemoveIt(t *testing.T) {
	keep := newNodeKeeping(t, hub.Retention{MaxAge: 24 * time.Hour})
	sum, err := keep.Import(t.Context(), tape(t, old), hub.ImportAs{})
	if err != nil || !sum.Pinned || sum.Terminal != "80x24" || sum.Remote != "local" {
		t.Errorf("got %+v, %v; want it pinned", sum, err)
	}
	list, err := keep.List(t.Context(), session.Recorded, index.Filter{})
	if err != nil || len(list) != 1 || list[0] != sum {
		t.Errorf("listed: %+v, %v", list, err)
	}
	if err := keep.Pin(t.Context(), sum.ID, false); err != nil {
		t.Error(err)
	}
	if sum, err = newNode(t).Import(t.Context(), tape(t, old), hub.ImportAs{}); err != nil || sum.Pinned {
		t.Errorf("without a limit: %+v, %v", sum, err)
	}
}

func TestAnImportThatIsCancelledOrBrokenIsNotListed(t *testing.T) {
	n := newNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Import(ctx, tape(t, old), hub.ImportAs{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	var wrong *tapes.Error
	if _, err := n.Import(t.Context(), tape(t, old+"\nmore"), hub.ImportAs{}); !errors.As(err, &wrong) {
		t.Errorf("broken: %v", err)
	}
	if list, err := n.List(t.Context(), "", index.Filter{}); err != nil || len(list) != 0 {
		t.Errorf("listed: %+v, %v", list, err)
	}
}

func TestOfManyRecordingsAllAreKeptOrNone(t *testing.T) {
	for name, n := range map[string]*node{"": newNode(t), "pinned": newNodeKeeping(t, hub.Retention{MaxAge: 24 * time.Hour})} {
		good := func() []tapes.Tape { return []tapes.Tape{tape(t, old), tape(t, old), tape(t, old)} }
		var wrong *tapes.Error
		if made, err := n.ImportAll(t.Context(), append(good(), tape(t, old+"\nmore")), hub.ImportAs{}); !errors.As(err, &wrong) || made != nil {
			t.Errorf("%s: a broken one: %v, %v", name, made, err)
		}
		if list, err := n.List(t.Context(), "", index.Filter{}); err != nil || len(list) != 0 {
			t.Errorf("%s: listed behind a broken one: %+v, %v", name, list, err)
		}
		if made, err := n.ImportAll(t.Context(), good(), hub.ImportAs{}); err != nil || len(made) != 3 {
			t.Errorf("%s: %v, %v", name, made, err)
		}
		if list, err := n.List(t.Context(), "", index.Filter{}); err != nil || len(list) != 3 {
			t.Errorf("%s: listed: %+v, %v", name, list, err)
		}
	}
}

func TestASpoolIsGoneOnceItIsClosed(t *testing.T) {
	spool, err := newNode(t).Spool()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(spool.Name()); err != nil {
		t.Error(err)
	}
	if err := spool.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(spool.Name()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("behind the close: %v", err)
	}
}
