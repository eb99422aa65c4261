package recording

import (
	"encoding/json"
	"runtime"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

func missing(t testing.TB, e session.Event) (m session.Missing) {
	t.Helper()
	if err := json.Unmarshal(e.Data, &m); err != nil {
		t.Fatalf("gap %d: %v: %s", e.Number, err, e.Data)
	}
	return m
}

// heap is what is allocated and in use, bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// participant is told of failures.
type participant struct {
	*session.Info
	told chan error
}

func (p *participant) RecordingFailed(err error) { p.told <- err }
func (p *participant) BeforeEvent()              {}
