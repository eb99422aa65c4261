package web

import (
	"context"
	"sync/atomic"
	"time"
)

// pace keeps watchers from taking the machine away from what they watch. A stream that follows a live session writes in
// turns and rests between them; the more streams there are, the longer, so that all of them together take so many turns
// a second. A few do not rest at all. A stream that rests misses nothing: it catches up from the recording.
type pace struct{ streams atomic.Int64 }

const (
	turnBytes   = 16 << 10 // that a stream writes in a turn, about
	turnsApart  = 500 * time.Microsecond
	freeStreams = 4 // so many never rest
)

func (p *pace) enter() { p.streams.Add(1) }
func (p *pace) leave() { p.streams.Add(-1) }

// apart is how long a stream rests between two turns.
func (p *pace) apart() time.Duration {
	n := p.streams.Load()
	if n <= freeStreams {
		return 0
	}
	return time.Duration(n) * turnsApart
}

// rest waits until the stream's next turn.
func (p *pace) rest(ctx context.Context) error {
	apart := p.apart()
	if apart == 0 {
		return nil
	}
	timer := time.NewTimer(apart)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
