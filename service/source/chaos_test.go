package source_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/service/source"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// known reports whether an error is one that Open and Kick may return.
func known(err error) bool {
	var over *threeend.OverError
	return err == nil || errors.As(err, &over) || errors.Is(err, threeend.ErrNoSource) || errors.Is(err, threeend.ErrBusy) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, hub.ErrNotLive)
}

func TestReloadsAndTheEndMayComeAmidOpensAndKicks(t *testing.T) {
	h := newHouse(t, func(c *source.Config) { c.AnswerTimeout = 100 * time.Millisecond })
	second := newOrigin(t)
	var acting sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	for _, o := range []*origin{h.origin, second} {
		acting.Go(func() {
			for n := uint64(0); ; n++ {
				select {
				case l := <-o.asked:
					acting.Go(func() { misbehave(l, rand.New(rand.NewPCG(7, n))) })
				case <-ctx.Done():
					return
				}
			}
		})
	}
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	var mu sync.Mutex
	seen := map[session.ID]*hub.Session{}
	var crowd sync.WaitGroup
	open := func(chance *rand.Rand) {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(chance.IntN(50))*time.Millisecond)
		defer cancel()
		r := ref("plant/ssh:" + string(rune('a'+chance.IntN(5))))
		s, release, err := h.sources.Open(ctx, r, "ada")
		if !known(err) {
			t.Error(err)
		}
		if err == nil {
			mu.Lock()
			seen[s.ID()] = s
			mu.Unlock()
			if chance.IntN(2) == 0 {
				_, err = h.hub.KickAnswered(ctx, s.ID(), "grace", "")
			} else {
				_, err = h.sources.Kick(ctx, r, "grace", "")
			}
			if !known(err) {
				t.Error(err)
			}
			release()
		}
	}
	for who := range 12 {
		crowd.Go(func() {
			chance := rand.New(rand.NewPCG(8, uint64(who)))
			for ctx.Err() == nil {
				open(chance)
				h.sources.Status()
			}
		})
	}
	moved := h.conf
	moved.Kinds, moved.MaxDials, moved.AnswerTimeout = map[string]string{"ssh": second.address()}, 2, 30*time.Millisecond
	other := h.conf
	other.Name = "annex"
	for range 8 {
		for _, confs := range [][]source.Config{{moved}, {moved, other}, {h.conf}, {}, {h.conf}} {
			h.configure(confs...)
			h.open(ctx, "plant/ssh:z").wait()
		}
	}
	h.sources.Close()
	if n := h.sources.Held(); n != 0 {
		t.Errorf("%d things are held after closing", n)
	}
	if o := h.open(ctx, "ssh:a").wait(); !errors.Is(o.err, threeend.ErrNoSource) {
		t.Errorf("behind the end: %v", o.err)
	}
	stop()
	crowd.Wait()
	acting.Wait()
	for id, s := range seen {
		if end := s.Ended(); end == nil || end.Code != 3 && end.Code != 5 || (end.Cause == session.Kicked) != (end.Code == 3) {
			t.Errorf("session %s ended as %+v", id, end)
		}
	}
	if len(seen) == 0 {
		t.Error("no session was opened")
	}
	until(t, "goroutines and descriptors are as before", func() bool {
		return runtime.NumGoroutine() <= goroutines+8 && descriptors(t) <= files+8
	})
}
