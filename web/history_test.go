package web

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"time"
)

// shown is a history as a client reads it.
type shown struct {
	Step   float64
	End    int64
	Series map[string][]*float64
}

func (h *history) shown(t *testing.T) (s shown) {
	t.Helper()
	b, err := json.Marshal(h.show())
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func reads(s []*float64) (values []float64) {
	for _, v := range s {
		if v == nil {
			values = append(values, math.NaN())
			continue
		}
		values = append(values, *v)
	}
	return values
}

// alike reports whether two series are the same, where what is not known is like itself.
func alike(a, b []float64) bool {
	same := len(a) == len(b)
	for i := range a {
		same = same && (a[i] == b[i] || math.IsNaN(a[i]) && math.IsNaN(b[i]))
	}
	return same
}

func TestTheHistoryShowsLevelsAsTheyAreAndTotalsAsTheyGrow(t *testing.T) {
	h := &history{every: 10 * time.Second}
	begin, nan := time.Unix(1_700_000_000, 0), math.NaN()
	for i, s := range []sample{
		{seriesLive: 3, seriesOpened: 100, seriesRefused: 7, seriesCPU: 1},
		{seriesLive: 4, seriesOpened: 150, seriesRefused: 8, seriesCPU: 3.5},
		{seriesLive: 2, seriesOpened: 150, seriesRefused: 2, seriesCPU: nan, seriesRecorded: nan}, // a listener has gone
		{seriesLive: 2, seriesOpened: 151, seriesRefused: 3, seriesCPU: 4},
	} {
		h.add(begin.Add(time.Duration(i)*10*time.Second), s)
	}
	s := h.shown(t)
	if s.Step != 10 || s.End != begin.Add(30*time.Second).UnixMicro() || len(s.Series) != int(seriesCount) {
		t.Errorf("step %v, end %d, %d series", s.Step, s.End, len(s.Series))
	}
	for name, want := range map[string][]float64{"live": {3, 4, 2, 2}, "opened": {nan, 5, 0, 0.1},
		"refused": {nan, 0.1, 0, 0.1}, "cpu": {nan, 0.25, nan, nan}, "recorded_bytes": {0, 0, nan, 0}} {
		if got := reads(s.Series[name]); !alike(got, want) {
			t.Errorf("%s: got %v; want %v", name, got, want)
		}
	}
}

func TestTheHistoryIsOfOneHourAndWhatWasMissedInItIsNotKnown(t *testing.T) {
	h := &history{every: 10 * time.Second}
	at := time.Unix(1_700_000_000, 0)
	for i := range 400 {
		at = at.Add(10*time.Second + time.Duration(i%3-1)*time.Millisecond) // a ticker is a little early or late
		h.add(at, sample{seriesLive: float64(i), seriesOpened: float64(i)})
	}
	s := h.shown(t)
	for name, series := range s.Series {
		if len(series) != 360 {
			t.Errorf("%s has %d samples; want 360", name, len(series))
		}
	}
	if live := reads(s.Series["live"]); live[0] != 40 || live[359] != 399 {
		t.Errorf("live: from %v to %v; want 40 to 399", live[0], live[359])
	}
	h.add(at.Add(40*time.Second), sample{seriesLive: 5, seriesOpened: 399 + 80})
	s, nan := h.shown(t), math.NaN()
	if got := reads(s.Series["live"])[355:]; !alike(got, []float64{399, nan, nan, nan, 5}) {
		t.Errorf("live ends with %v; want three that are not known, and 5", got)
	}
	if got := reads(s.Series["opened"])[359]; got != 2 {
		t.Errorf("opened: %v a second over 40 s; want 2", got)
	}
	h.add(at.Add(100*time.Hour), sample{})
	if live := reads(h.shown(t).Series["live"]); len(live) != 360 || !math.IsNaN(live[358]) || live[359] != 0 {
		t.Errorf("after days: %d samples that end with %v", len(live), live[len(live)-2:])
	}
}

func TestWhatTheProcessUsesIsKnownWhereItCanBe(t *testing.T) {
	cpu, memory := usage()
	d := diskOf(t.TempDir())
	if math.IsNaN(cpu) && math.IsNaN(memory) && d.Total == 0 {
		t.Skip("not on this system")
	}
	if cpu < 0 || memory < 1<<20 || d.Total == 0 || d.Free > d.Total {
		t.Errorf("%v s, %v B resident, disk %+v", cpu, memory, d)
	}
	if d := diskOf("/there/is/no/such/folder"); d != (disk{}) {
		t.Errorf("the disk of a folder that is not there: %+v", d)
	}
}

func TestKeepingAHistoryEndsWithItsContext(t *testing.T) {
	h := &history{every: time.Hour}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	read := make(chan struct{})
	go func() {
		defer close(over)
		h.keep(ctx, func(context.Context) sample { close(read); return sample{seriesLive: 1} })
	}()
	<-read
	cancel()
	<-over
}
