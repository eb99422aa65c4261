package screen

import (
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// When a screen is kept.
const (
	keepOutput = 256 << 10        // bytes sent since the last one
	keepLate   = 1 << 20          // bytes sent since the last one, if it does not say all
	keepTime   = 10 * time.Second // since the last one, if anything was sent
	keepWorth  = 4                // no sooner than after so many times its length in bytes sent, or
	keepRate   = 32 << 10         // when so many bytes a second make up for it,
	keepPause  = 100 * time.Millisecond
	keepBurst  = 30 * time.Second // but for some at once
)

// rule decides behind which events a screen is kept: behind every resize, behind much output, and now and then behind any.
// Who has the terminal resized without end, or draws screens that take long to say, gets fewer. While the screen would not say
// all that is in the terminal, it waits for one that does, for a while.
type rule struct {
	last   int64 // time of the last one kept, Unix µs
	size   int   // its length, bytes
	work   int   // bytes sent since, and what resizes cost in the same measure
	change bool  // there was a resize since
	debt   int64 // until the time that were kept are made up for, µs at time last
}

func (r *rule) begin(at int64) { r.last = at }

func (r *rule) output(n int) { r.work += n }

// resized takes a resize. It costs as much as writing to a quarter of the cells, and counts for less: it is a few bytes in a
// recording, and the screens behind many of them could take a hundred times that.
func (r *rule) resized(from, to session.Size) {
	r.work += 256 + max(from.Cols*from.Rows, to.Cols*to.Rows)/16
	r.change = true
}

// due reports whether the screen is kept before an event of a time.
func (r *rule) due(at int64) bool {
	if r.work >= max(keepOutput, keepWorth*r.size) {
		return true
	}
	since := at - r.last
	wanted := r.change || r.work > 0 && since >= keepTime.Microseconds()
	return wanted && r.debt-since <= keepBurst.Microseconds()
}

// resume goes on behind a screen that was kept.
func (r *rule) resume(s Screen) { r.last, r.size, r.debt = s.Time, len(s.Data), s.Debt }

// kept takes note of a screen that was kept, behind an event of a time.
func (r *rule) kept(at int64, size int) {
	cost := keepPause.Microseconds() + int64(size)*time.Second.Microseconds()/keepRate
	r.debt = max(r.debt-(at-r.last), 0) + cost
	r.last, r.size, r.work, r.change = at, size, 0, false
}
