package recording

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// A disk that hung for 10 s used to be followed by a rest of four times that, whatever waited.
func TestARestOfTheSealerIsShort(t *testing.T) {
	s := openStore(t, Options{})
	began := time.Now()
	if left := s.rest(time.Hour); left != 0 {
		t.Errorf("%v of the work has not been rested from", left)
	}
	if took := time.Since(began); took > 10*restMost {
		t.Errorf("it rests for %v; want %v", took, restMost)
	}
	long := openStore(t, Options{SegmentSize: 64 << 10, JournalLimit: 64 << 10})
	durably(t, begin(t, long, Policy{}), session.Received, []byte("x"))
	began = time.Now()
	long.rest(time.Hour)
	if took := time.Since(began); took >= restMost {
		t.Errorf("it rests for %v though the journal is long; want not at all", took)
	}
}

// While sessions ended faster than they were sealed, the journal grew beyond its limit.
func TestTheJournalIsShortenedWhileSessionsEnd(t *testing.T) {
	dir := t.TempDir()
	const waiting = 500 // for the sealer, so that it finds some whenever it looks
	turn := make(chan struct{}, waiting)
	sealed := make(chan struct{}, 1)
	s := openStore(t, Options{Dir: dir, SegmentSize: 64 << 10, JournalLimit: 64 << 10, Sync: SyncNone,
		OnSealed: func(session.Summary) {
			<-turn
			select {
			case sealed <- struct{}{}:
			default:
			}
		}})
	lives := begin(t, s, Policy{})
	durably(t, lives, session.Received, []byte("in the first segment"))
	noise := make([]byte, 4096)
	rand.Read(noise)
	stop := make(chan struct{})
	var ending sync.WaitGroup
	ending.Go(func() {
		for {
			select {
			case turn <- struct{}{}:
			case <-stop:
				return
			}
			l := begin(t, s, Policy{})
			l.Append(session.Received, noise)
			l.End(session.End{Time: time.Now().UnixMicro(), Cause: session.Done})
		}
	})
	part := filepath.Join(dir, "journal", string(lives.ID())+".part")
	timeout := time.After(15 * time.Second)
	for moved := false; !moved; {
		select {
		case <-sealed:
			_, err := os.Stat(part)
			moved = err == nil
		case <-timeout:
			t.Errorf("a live session's bytes have not moved out of the journal, which has %d segments where 1 may be",
				s.Stats().Segments)
			moved = true
		}
	}
	close(stop)
	ending.Wait()
	lives.End(session.End{Time: time.Now().UnixMicro(), Cause: session.Done})
	turn <- struct{}{}
}
