//go:build linux

package benchkit

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets Spawn start this test program in its roles.
func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		Main(Bench{})
		return
	}
	os.Exit(m.Run())
}

func newRun(t *testing.T) *Run {
	t.Helper()
	r := &Run{Report: newReport(&Bench{Name: "test"}), Context: t.Context(), Dir: t.TempDir(), names: map[string]int{}}
	t.Cleanup(r.cleanup)
	return r
}

func TestAFleetGetsEveryReply(t *testing.T) {
	r := newRun(t)
	up, err := r.Upstream()
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := r.Fleet()
	if err != nil {
		t.Fatal(err)
	}
	for _, do := range []string{"open", "churn"} {
		rep, err := fleet.Order(FleetOrder{Do: do, Addr: up.Echo, Count: 500, Message: "hello", Reply: 5})
		if err != nil || rep.Replied != 500 || rep.Failed != 0 || rep.Held != 500 {
			t.Errorf("%s: got %+v, %v; want 500 replies and 500 held", do, rep, err)
		}
	}
	rep, err := fleet.Order(FleetOrder{Do: "close"})
	if err != nil || rep.Held != 0 {
		t.Errorf("close: got %+v, %v; want none held", rep, err)
	}
	if c, err := up.Counts(); err != nil || c.Bytes != 5000 || c.Connections != 1000 {
		t.Errorf("upstream: got %+v, %v; want 5000 bytes on 1000 connections", c, err)
	}
}

func TestAFleetCountsWhoWasNotServed(t *testing.T) {
	r := newRun(t)
	fd, at, err := Listen() // and nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer CloseReset(fd)
	fleet, err := r.Fleet()
	if err != nil {
		t.Fatal(err)
	}
	rep, err := fleet.Order(FleetOrder{Do: "open", Addr: at.String(), Count: 10, Message: "x", Reply: 1,
		Limit: time.Second})
	if err != nil || rep.Opened != 10 || rep.Replied != 0 || rep.Held != 10 {
		t.Errorf("got %+v, %v; want 10 opened and held, none replied", rep, err)
	}
}

func TestLinesSendBulkWholeAndTimeRoundTrips(t *testing.T) {
	r := newRun(t)
	up, err := r.Upstream()
	if err != nil {
		t.Fatal(err)
	}
	for _, connections := range []int{1, 7} {
		lines, err := r.Lines()
		if err != nil {
			t.Fatal(err)
		}
		before, err := up.Counts()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lines.Order(LinesOrder{Do: "open", Addr: up.Sink, Count: connections}); err != nil {
			t.Fatal(err)
		}
		rep, err := lines.Order(LinesOrder{Do: "bulk", Bytes: 64 << 20})
		if err != nil {
			t.Fatal(err)
		}
		after, err := up.Counts()
		if got := after.Bytes - before.Bytes; err != nil || got != rep.Bytes || got < 60<<20 || after.Open != 0 {
			t.Errorf("%d connections: got %d bytes, want %d; %d still open; %v", connections, got, rep.Bytes, after.Open, err)
		}
		lines.Close()
	}
	lines, err := r.Lines()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lines.Order(LinesOrder{Do: "open", Addr: up.Echo, Count: 3}); err != nil {
		t.Fatal(err)
	}
	paced := LinesOrder{Do: "paced", Size: 100, Every: 5 * time.Millisecond, Lasts: 50 * time.Millisecond, Echoed: true}
	rounds := LinesOrder{Do: "rounds", Size: 64, Lasts: 50 * time.Millisecond}
	for _, o := range []LinesOrder{rounds, paced, rounds} {
		rep, err := lines.Order(o)
		if err != nil || rep.Count < 3 || rep.P50 <= 0 || rep.P99 < rep.P50 || rep.Max < rep.P99 {
			t.Errorf("%s: got %+v, %v; want round trips and their times", o.Do, rep, err)
		}
	}
}

func TestAChildThatFailsSaysWhy(t *testing.T) {
	lines, err := newRun(t).Lines()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lines.Order(LinesOrder{Do: "dance"}); err == nil || !strings.Contains(err.Error(), "cannot do dance") {
		t.Errorf("got %v, want an error about dancing", err)
	}
}

func TestTimesAreOnePercentOffAtMost(t *testing.T) {
	for _, d := range []time.Duration{10 * time.Microsecond, 999 * time.Microsecond, 3 * time.Millisecond,
		250 * time.Millisecond, 5 * time.Second} {
		var times Times
		for range 100 {
			times.Add(d)
		}
		got := times.Percentile(0.99)
		if off := float64(got-d) / float64(d); off < -0.01 || off > 0.01 {
			t.Errorf("got %v, want %v", got, d)
		}
	}
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	ours, peer := Series{10, 100, 3}, Series{5, 100, 1}
	got := ours.Over(peer)
	if got.Median() != 2 || got.Min() != 1 || got.Max() != 3 {
		t.Errorf("got %v, want 2, 1 and 3", got)
	}
	if got := ours.Over(Series{2}); got.Median() != 5 {
		t.Errorf("of other rounds: got %v, want the ratio of the medians, 5", got)
	}
}

func TestTheReportSaysWhatMissed(t *testing.T) {
	r := newReport(&Bench{Name: "test", About: "nothing"})
	r.quiet = true
	r.Add(Row{Name: "good", Ours: One(2e9), Peer: One(1e9), PeerName: "Peer", Unit: GBPerSec, Target: RatioAtLeast(1)})
	r.Add(Row{Name: "bad", Ours: One(0.06), Unit: Millis, Target: AtMost(0.05, Millis)})
	r.Add(Row{Name: "alone", Ours: One(2e9), Unit: GBPerSec, Target: RatioAtLeast(1)})
	r.Add(Row{Name: "absent", Unit: GBPerSec, Target: RatioAtLeast(1)})
	r.Skip("Peer", "install it")
	var out bytes.Buffer
	r.print(&out)
	for name, verdict := range map[string]string{"good": "reached", "bad": "MISSED", "alone": "not compared",
		"absent": "not measured"} {
		for _, line := range strings.Split(out.String(), "\n") {
			if strings.HasPrefix(line, name) && !strings.HasSuffix(line, verdict) {
				t.Errorf("got %q, want %q at its end", line, verdict)
			}
		}
	}
	if !strings.Contains(out.String(), "2.00 GB/s") || !strings.Contains(out.String(), "Peer: not compared, install it") {
		t.Errorf("got %q", out.String())
	}
}

func TestNumbersAreGrouped(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -15000: "-15,000"} {
		if got := grouped(v); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestProcessesTellWhatTheyTake(t *testing.T) {
	pid := os.Getpid()
	rss, err := SettledRSS(context.Background(), pid, 50*time.Millisecond)
	if err != nil || rss < 1<<20 {
		t.Errorf("resident memory: got %d, %v", rss, err)
	}
	if n, err := Descriptors(pid); err != nil || n < 3 {
		t.Errorf("descriptors: got %d, %v", n, err)
	}
	if _, err := CPU(pid); err != nil || !Alive(pid) || Alive(1<<22+1) {
		t.Errorf("processor time: %v; alive: %v", err, Alive(pid))
	}
}
