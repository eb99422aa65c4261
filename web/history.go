package web

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The series of the history, by their place in a sample.
const (
	seriesLive = iota
	seriesOpened
	seriesEnded
	seriesReceived
	seriesSent
	seriesWatchers
	seriesRefused
	seriesQueued
	seriesRecorded
	seriesMemory
	seriesCPU
	seriesCount
)

var seriesNames = [seriesCount]string{"live", "opened", "ended", "received_bytes", "sent_bytes", "watchers", "refused",
	"queued_bytes", "recorded_bytes", "memory_bytes", "cpu"}

// totals are counted since the start; the history shows how much they grow in a second.
var totals = [...]int{seriesOpened, seriesEnded, seriesReceived, seriesSent, seriesRefused, seriesCPU}

// sample is one value of each series, NaN where it is not known.
type sample [seriesCount]float64

var unknown = func() (s sample) {
	for i := range s {
		s[i] = math.NaN()
	}
	return s
}()

const (
	historySize  = 360 // samples
	historyEvery = 10 * time.Second
)

// history is what the server did in the last hour.
type history struct {
	every time.Duration // between samples; fixed

	mu      sync.Mutex
	samples []sample  // the oldest first
	end     time.Time // of the last
	last    sample    // the totals as they were read then
}

// keep reads and keeps samples until the context ends.
func (h *history) keep(ctx context.Context, read func(context.Context) sample) {
	ticker := time.NewTicker(h.every)
	defer ticker.Stop()
	for {
		if now := read(ctx); ctx.Err() == nil {
			h.add(time.Now(), now)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// add takes what was read at a time. Samples that should have been before it, but for a machine that was busy or asleep,
// are not known.
func (h *history) add(at time.Time, read sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, passed := read, at.Sub(h.end)
	for _, i := range totals {
		now[i] = max(read[i]-h.last[i], 0) / passed.Seconds() // less than before: a listener was taken away
	}
	if len(h.samples) == 0 {
		for _, i := range totals {
			now[i] = math.NaN()
		}
	} else {
		lost := int64(passed+h.every/2)/int64(h.every) - 1
		for range min(lost, historySize) {
			h.samples = append(h.samples, unknown)
		}
	}
	h.samples = append(h.samples, now)
	if extra := len(h.samples) - historySize; extra > 0 {
		h.samples = append(h.samples[:0], h.samples[extra:]...)
	}
	h.end, h.last = at, read
}

// series is JSON numbers, and null where they are not known.
type series []float64

// MarshalJSON implements json.Marshaler.
func (s series) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for i, v := range s {
		if i > 0 {
			b = append(b, ',')
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			b = append(b, "null"...)
			continue
		}
		b = strconv.AppendFloat(b, math.Round(v*1000)/1000, 'f', -1, 64)
	}
	return append(b, ']'), nil
}

// show is the history as it is answered.
func (h *history) show() map[string]any {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make(map[string]series, seriesCount)
	for i, name := range seriesNames {
		s := make(series, len(h.samples))
		for k := range h.samples {
			s[k] = h.samples[k][i]
		}
		all[name] = s
	}
	end := int64(0)
	if len(h.samples) > 0 {
		end = h.end.UnixMicro()
	}
	return map[string]any{"step": h.every.Seconds(), "end": end, "series": all}
}

func (s *server) history(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, http.StatusOK, s.past.show())
	return nil
}

// read reads what the history has: totals as they are counted.
func (s *server) read(ctx context.Context) sample {
	st, err := s.Hub.Stats(ctx)
	received, sent := s.rising.of(&st)
	ended, refused := uint64(0), uint64(0)
	for _, n := range st.Ended {
		ended += n
	}
	for _, l := range s.Hub.Listeners() {
		refused += l.Refused
	}
	now := sample{seriesLive: float64(st.Live), seriesOpened: float64(st.Opened), seriesEnded: float64(ended),
		seriesReceived: float64(received), seriesSent: float64(sent), seriesWatchers: float64(st.Watchers),
		seriesRefused: float64(refused), seriesQueued: float64(st.Recording.QueuedBytes),
		seriesRecorded: float64(st.RecordedBytes)}
	if err != nil { // of the index: the rest is known
		now[seriesRecorded] = math.NaN()
	}
	now[seriesCPU], now[seriesMemory] = usage()
	return now
}
