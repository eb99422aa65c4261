package fleet

import (
	"context"
	"database/sql"
	"errors"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/session"
)

// catchUp brings devices up to date where the process before could not write what it knew: how their connections ended, and what
// passed, is in the list of recordings, and so are the connections of its last moment.
func (st *store) catchUp() {
	defer close(st.caught)
	defer func() {
		st.mu.Lock()
		st.lately = nil
		st.mu.Unlock()
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-st.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	select {
	case <-st.fleets.opt.Hub.Listed():
	case <-ctx.Done():
		return
	}
	err := st.fleets.opt.Hub.AwaitRecovered(ctx)
	if err == nil {
		err = st.endOpen(ctx)
	}
	if err == nil {
		err = st.addMissed(ctx)
	}
	if err != nil && ctx.Err() == nil {
		st.logger.Warn("devices could not be brought up to date with the recordings", "error", err)
	}
}

// endOpen ends the connections that were open.
func (st *store) endOpen(ctx context.Context) error {
	rows, err := st.read.QueryContext(ctx, `SELECT fleet, name, session, listener, transport, remote, start, messages, received, sent
		FROM connection INDEXED BY connection_open WHERE end = 0 AND start < ?`, st.began)
	if err != nil {
		return err
	}
	open := map[rowKey]device.Connection{}
	for rows.Next() {
		var k rowKey
		var c device.Connection
		if err = rows.Scan(&k.fleet, &k.name, &k.session, &c.Listener, &c.Transport, &c.Remote, &c.Start, &c.Messages, &c.Received, &c.Sent); err != nil {
			break
		}
		c.Session = k.session
		open[k] = c
	}
	if err = errors.Join(err, rows.Err(), rows.Close()); err != nil {
		return err
	}
	for k, c := range open {
		sum, err := st.fleets.opt.Hub.Find(ctx, string(k.session))
		switch {
		case errors.Is(err, hub.ErrNotFound): // it was not recorded, or is removed
			sum = session.Summary{End: c.Start, Cause: session.Interrupted}
			sum.ReceivedBytes, sum.SentBytes = c.Received, c.Sent
		case err != nil:
			return err
		case sum.State == session.Live:
			continue // of this process
		}
		st.settle(k, c, &sum, false)
	}
	return nil
}

// settle notes how a connection ended, and what it had not said yet; missed: its device does not count it yet.
func (st *store) settle(k rowKey, c device.Connection, sum *session.Summary, missed bool) {
	c.End, c.Cause = max(sum.End, c.Start), sum.Cause
	more := tally{received: max(sum.ReceivedBytes, c.Received) - c.Received, sent: max(sum.SentBytes, c.Sent) - c.Sent}
	c.Received, c.Sent = c.Received+more.received, c.Sent+more.sent
	f := st.fleets.fleet(k.fleet)
	f.mu.Lock()
	defer f.mu.Unlock()
	if st.wasForgotten(k, c.Start) {
		return
	}
	e := f.entry(k.name, c.Start)
	if missed {
		e.times++
		if len(e.visits) == 0 && sum.End >= e.since {
			e.session = sum.ID
		}
	}
	e.tally.add(more)
	if e.session == k.session || e.session == "" {
		e.session, e.cause = k.session, c.Cause
		e.newest = place{c.Listener, c.Transport, c.Remote}
		if len(e.visits) == 0 {
			e.since = c.End
		}
	}
	if more.received > 0 {
		e.heard = max(e.heard, c.End)
	}
	f.changed(e)
	st.mu.Lock()
	st.rows[k] = c
	st.mu.Unlock()
}

// missedBefore is how long before the newest write connections may have come that it did not have, µs.
const missedBefore = 5_000_000

// addMissed adds the connections that came behind the newest write.
func (st *store) addMissed(ctx context.Context) error {
	var at int64
	err := st.read.QueryRowContext(ctx, "SELECT at FROM written").Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // nothing was ever written
	}
	if err != nil {
		return err
	}
	for listener, fleet := range st.listeners() {
		list, err := st.fleets.opt.Hub.List(ctx, session.Recorded, index.Filter{Listener: listener, Since: at - missedBefore, Limit: 100_000})
		if err != nil {
			return err
		}
		for i := range list {
			sum := &list[i]
			k := rowKey{fleet, sum.Name, sum.ID}
			if sum.Name == "" || st.has(ctx, k, sum.Start) {
				continue
			}
			st.settle(k, device.Connection{Session: sum.ID, Listener: sum.Listener, Transport: sum.Transport, Remote: sum.Remote,
				Start: sum.Start}, sum, true)
		}
	}
	return nil
}

// wasForgotten reports whether a connection's device was forgotten behind it; its fleet's mu is held.
func (st *store) wasForgotten(k rowKey, start int64) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return start <= st.lately[rowKey{k.fleet, k.name, ""}]
}

// listeners are those to which devices came, with the fleet of each.
func (st *store) listeners() map[string]string {
	found := map[string]string{}
	for _, f := range st.fleets.each() {
		f.mu.Lock()
		for _, e := range f.entries {
			if e.newest.listener != "" {
				found[e.newest.listener] = f.name
			}
		}
		f.mu.Unlock()
	}
	return found
}

// has reports whether a connection is known, or was: of a device the newest are kept.
func (st *store) has(ctx context.Context, k rowKey, start int64) bool {
	st.mu.Lock()
	_, noted := st.rows[k]
	_, writing := st.writing[k]
	st.mu.Unlock()
	if noted || writing {
		return true
	}
	var here, kept int
	var oldest int64
	err := st.read.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE session = ?), count(*), coalesce(min(start), 0)
		FROM connection WHERE fleet = ? AND name = ?`, k.session, k.fleet, k.name).Scan(&here, &kept, &oldest)
	return err != nil || here > 0 || kept >= maxPerDevice && start < oldest
}
