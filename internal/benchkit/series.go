//go:build linux

package benchkit

import (
	"slices"
	"time"
)

// Series is the same figure taken in several rounds.
type Series []float64

// One is a figure that was taken once.
func One(v float64) Series { return Series{v} }

// Median is the middle figure, 0 for none.
func (s Series) Median() float64 { return Percentile(s, 0.5) }

// Min and Max are the least and the greatest.
func (s Series) Min() float64 { return Percentile(s, 0) }
func (s Series) Max() float64 { return Percentile(s, 1) }

// Over is this figure divided by another, round by round.
func (s Series) Over(other Series) Series {
	return s.each(other, func(a, b float64) float64 { return a / b })
}

// Less is this figure less another, round by round, and not below the least that can be told.
func (s Series) Less(other Series) Series {
	return s.each(other, func(a, b float64) float64 { return a - b })
}

// each joins two series round by round; where they were not taken in the same rounds, their medians.
func (s Series) each(other Series, f func(a, b float64) float64) Series {
	if len(s) == 0 || len(other) == 0 {
		return nil
	}
	if len(s) != len(other) {
		return One(f(s.Median(), other.Median()))
	}
	out := make(Series, len(s))
	for i := range s {
		out[i] = f(s[i], other[i])
	}
	return out
}

// Percentile is the value below which the share p (0 to 1) of the values lies, 0 for none.
func Percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted)-1)+0.5))]
}

// Times are durations collected by counting: 0.1 µs wide up to 1 ms, then wider, at most 1 % off. Add never allocates.
type Times struct {
	counts [buckets]uint32
	n      uint64
	max    time.Duration
}

const (
	fineStep = 100 * time.Nanosecond
	fine     = 10_000 // up to 1 ms
	coarse   = 10_000 // from 1 ms in steps of 10 µs up to 101 ms
	rough    = 10_000 // then in steps of 1 ms
	buckets  = fine + coarse + rough
)

// Add counts one.
func (t *Times) Add(d time.Duration) { t.AddMany(d, 1) }

// AddMany counts the same duration n times.
func (t *Times) AddMany(d time.Duration, n uint32) {
	t.n += uint64(n)
	t.max = max(t.max, d)
	switch {
	case d < fine*fineStep:
		t.counts[max(0, d/fineStep)] += n
	case d < 101*time.Millisecond:
		t.counts[fine+(d-time.Millisecond)/(10*time.Microsecond)] += n
	default:
		t.counts[min(buckets-1, fine+coarse+(d-101*time.Millisecond)/time.Millisecond)] += n
	}
}

// Percentile is the time below which the share p (0 to 1) lies.
func (t *Times) Percentile(p float64) time.Duration {
	rank := uint64(p * float64(t.n))
	var seen uint64
	for i, c := range t.counts {
		if seen += uint64(c); seen > rank {
			switch {
			case i < fine:
				return time.Duration(i) * fineStep
			case i < fine+coarse:
				return time.Millisecond + time.Duration(i-fine)*10*time.Microsecond
			}
			return 101*time.Millisecond + time.Duration(i-fine-coarse)*time.Millisecond
		}
	}
	return t.max
}

// Max is the longest.
func (t *Times) Max() time.Duration { return t.max }

// Count is how many there are.
func (t *Times) Count() uint64 { return t.n }
