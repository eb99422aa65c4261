package recording

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

func TestAPolicyThatSaysNothingEndsTheSessionWhenItsRecordingFails(t *testing.T) {
	dir := tinyDisk(t, "1m")
	opt := Options{Dir: dir, SegmentSize: 128 << 10, QueueLimit: 256 << 10}
	st := watchState(&opt)
	s := openStore(t, opt)
	told := make(chan error, 1)
	l, err := s.Begin(&participant{newInfo(), told}, Policy{})
	if err != nil {
		t.Fatal(err)
	}
	l.Ready()
	if err := l.WaitDurable(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 2<<20), 0o600) // as much as fits
	go func() {
		for i := 0; s.Err() == nil; i++ {
			l.Append(session.Received, fmt.Appendf(nil, "%0*d", 4000, i*i))
			l.Flush()
		}
	}()
	within(t, st.failed, "the failure")
	select {
	case <-told:
	case <-time.After(5 * time.Second):
		t.Error("the session was never told")
	}
	l.Interrupt()
	l.End(session.End{Cause: session.RecordingFailed})
	os.Remove(filepath.Join(dir, "ballast"))
}
