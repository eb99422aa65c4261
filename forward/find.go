package forward

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// takeUp gives a forward the feeds that an earlier process left.
func (f *Forwards) takeUp(r *runner, rows []row) {
	slices.SortFunc(rows, func(a, b row) int { return int(a.named - b.named) })
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, from := range rows {
		if !r.conf.takes(from.fleet) {
			r.mu.Lock()
			r.finish(from.session)
			r.mu.Unlock()
			continue
		}
		st := f.streams.get(from.session)
		if st == nil {
			st = f.stream(session.Info{ID: from.session, Start: from.start}, key{from.fleet, from.name}, from.named, nil)
		}
		f.feed(st, r, from)
	}
}

// awaitListed has all forwards begin once the list of recordings is whole: what an earlier process had no time to note is
// found by it, and comes before what a device says now.
func (f *Forwards) awaitListed(ctx context.Context) {
	select {
	case <-f.hub.Listed():
	case <-ctx.Done():
		return
	}
	f.configuring.Lock()
	defer f.configuring.Unlock()
	f.mu.Lock()
	closed := f.closed
	f.mu.Unlock()
	if !closed {
		f.setOut()
	}
}

// setOut has all forwards begin; f.configuring is held.
func (f *Forwards) setOut() {
	f.scan()
	f.configured.Store(true)
	for _, r := range f.runners {
		r.begin(r.conf, r.target)
	}
}

// scan gives forwards that an earlier process had the sessions that it had no time to note: they ended when its ledger was
// written last, or later. f.configuring is held.
func (f *Forwards) scan() {
	var known []*runner
	since := f.ledger.committed
	for _, r := range f.runners {
		if r.done == nil {
			continue
		}
		if known = append(known, r); f.ledger.committed == 0 && (since == 0 || r.created < since) {
			since = r.created // nothing was ever written
		}
	}
	if len(known) == 0 {
		return
	}
	list, err := f.hub.List(context.Background(), session.Recorded, index.Filter{Since: since - scanMargin.Microseconds()})
	if err != nil {
		f.logger.Error("recordings cannot be listed: what an earlier process did not note is not forwarded", "error", err)
	}
	for i := range list {
		if list[i].End < f.began { // else it was told of
			f.foundFor(&list[i], known)
		}
	}
	for _, r := range known {
		r.mu.Lock()
		r.done = nil
		r.mu.Unlock()
	}
}

// foundFor gives forwards a recorded session, if they want it and never had it.
func (f *Forwards) foundFor(sum *session.Summary, runners []*runner) {
	info := sum.Info
	switch {
	case info.Fleet != "": // a crash left it: its name is in the record alone
	case sum.Name == "" || sum.Transport == "room":
		return
	default: // of fleets the index knows nothing
		var err error
		if info, err = f.hub.Info(sum.ID, sum.Start); err != nil {
			if !errors.Is(err, recording.ErrNotFound) {
				f.logger.Error("a recording cannot be read, and is not forwarded", "session", sum.ID, "error", err)
			}
			return
		}
	}
	if info.Fleet == "" {
		return
	}
	name, named := "", int64(0)
	for _, r := range runners {
		if !f.lacks(r, sum.ID, info.Fleet) {
			continue
		}
		if name == "" {
			if name, named = f.namedAs(sum.ID, sum.Start); name == "" {
				return
			}
		}
		from := row{}
		if sum.Start < r.created && !r.conf.Beginning {
			from.after = r.created
		}
		f.mu.Lock()
		st := f.streams.get(sum.ID)
		if st == nil {
			st = f.stream(session.Info{ID: sum.ID, Start: sum.Start}, key{info.Fleet, name}, named, nil)
		}
		if st.feedOf(r) == nil {
			f.feed(st, r, from)
		}
		f.mu.Unlock()
	}
}

// lacks reports whether a forward is there, wants a fleet, and has no feed of a session.
func (f *Forwards) lacks(r *runner, id session.ID, fleet string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.mu.Lock()
	done := r.done[id]
	r.mu.Unlock()
	st := f.streams.get(id)
	return !done && f.runners[r.conf.Name] == r && r.conf.takes(fleet) && (st == nil || st.feedOf(r) == nil)
}

// namedAs is the name that a recorded session got, and when; empty if it got none.
func (f *Forwards) namedAs(id session.ID, start int64) (name string, at int64) {
	r := f.hub.NewReader()
	defer r.Rest()
	if r.Open(id, start, 1) != nil {
		return "", 0
	}
	for {
		batch, err := r.Next()
		for i := range batch {
			if batch[i].Kind != session.Named {
				continue
			}
			at = batch[i].Time
			if name = string(batch[i].Data); name != device.Unknown {
				return name, at
			}
		}
		if err != nil || len(batch) == 0 {
			return name, at
		}
	}
}

const findBatch = 1000 // recordings that are listed at once

// findAll gives a forward all that is on record.
func (f *Forwards) findAll(ctx context.Context, r *runner, c Config) error {
	until := time.Now().UnixMicro()
	for ctx.Err() == nil {
		list, err := f.hub.List(ctx, session.Recorded, index.Filter{Until: until, Limit: findBatch})
		if err != nil || len(list) == 0 {
			return err
		}
		for i := range list {
			f.foundFor(&list[i], []*runner{r})
		}
		last := list[len(list)-1].Start
		if len(list) == findBatch && last == list[0].Start {
			last-- // more began in that moment than are listed at once
		}
		if until = last + 1; len(list) < findBatch {
			return nil
		}
	}
	return context.Cause(ctx)
}
