package command

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard/device"
)

// Limits of lists.
const (
	MaxList     = 1000    // commands
	DefaultList = 100     // of Filter
	maxListed   = 4 << 20 // bytes of data and answers, about
)

// Filter chooses commands: those for which all holds that is not empty.
type Filter struct {
	Fleet string
	Name  string
	State device.CommandState
	Limit int // at most so many, the newest; 0: DefaultList
}

// States are all states of commands, in the order in which they may come.
var States = []device.CommandState{device.Queued, device.Writing, device.Written, device.Acknowledged, device.Done, device.Unanswered,
	device.Expired, device.Uncertain, device.Cancelled, device.Failed}

// List returns commands, the newest first; fewer than the limit if they are long. An error wraps ErrBad if the filter is wrong.
func (q *Queue) List(ctx context.Context, f Filter) ([]device.Command, error) {
	if f.Limit < 0 || f.Limit > MaxList {
		return nil, bad("limit %d: must be from 1 to %d", f.Limit, MaxList)
	}
	if f.Limit == 0 {
		f.Limit = DefaultList
	}
	where, args := f.where()
	if err := q.writer.settled(); err != nil {
		return nil, err
	}
	list, _, err := q.store.query(ctx, where, args...)
	return list, err
}

// where is the end of the statement.
func (f *Filter) where() (where string, args []any) {
	var conditions []string
	for _, c := range []struct{ column, value string }{{"fleet", f.Fleet}, {"name", f.Name}, {"state", string(f.State)}} {
		if c.value != "" {
			conditions, args = append(conditions, c.column+" = ?"), append(args, c.value)
		}
	}
	if f.State != "" && !f.State.Over() {
		conditions = append(conditions, isOpen)
	}
	if len(conditions) > 0 {
		where = "WHERE " + strings.Join(conditions, " AND ")
	}
	return where + " ORDER BY seq DESC LIMIT ?", append(args, f.Limit)
}

// Get returns a command. An error wraps ErrNotFound, or is an AmbiguousError.
func (q *Queue) Get(ctx context.Context, ref Ref) (device.Command, error) {
	c, _, err := q.get(ctx, ref)
	return c, err
}

func (q *Queue) get(ctx context.Context, ref Ref) (c device.Command, seq int64, err error) {
	if err := q.writer.settled(); err != nil {
		return c, 0, err
	}
	list, seqs, err := q.store.query(ctx, "WHERE id = ?1 AND (?2 = '' OR fleet = ?2) AND (?3 = '' OR name = ?3) ORDER BY seq DESC LIMIT 5",
		ref.ID, ref.Fleet, ref.Name)
	switch {
	case err != nil:
		return c, 0, err
	case len(list) == 0:
		return c, 0, fmt.Errorf("%w: %q: the oldest that are over are removed", ErrNotFound, ref.ID)
	case len(list) > 1:
		ambiguous := &AmbiguousError{ID: ref.ID}
		for _, c := range list {
			ambiguous.Found = append(ambiguous.Found, Ref{c.Fleet, c.Name, c.ID})
		}
		return c, 0, ambiguous
	}
	return list[0], seqs[0], nil
}

// Await returns a command as soon as it is over, or as it is when the context ends.
func (q *Queue) Await(ctx context.Context, ref Ref) (device.Command, error) {
	c, seq, err := q.get(context.WithoutCancel(ctx), ref) // ctx says how long to wait, which may be not at all
	if err != nil || c.State.Over() {
		return c, err
	}
	q.mu.Lock()
	it := q.targets[key{c.Fleet, c.Name}].find(seq)
	over := make(chan struct{})
	w := &watcher{told: func(Outcome) { close(over) }}
	if it == nil {
		close(over) // just now
	} else {
		it.over = append(it.over, w)
	}
	q.mu.Unlock()
	select {
	case <-over:
	case <-ctx.Done():
		if it == nil {
			break
		}
		q.mu.Lock()
		it.over = slices.DeleteFunc(it.over, func(other *watcher) bool { return other == w })
		q.mu.Unlock()
	}
	return q.Get(context.WithoutCancel(ctx), Ref{c.Fleet, c.Name, c.ID})
}

// Waiting is how many commands of a device are not over.
func (q *Queue) Waiting(fleet, name string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.targets[key{fleet, name}]
	if t == nil {
		return 0
	}
	return t.waiting()
}

// load brings the commands that are not over into memory, as they are now.
func (q *Queue) load() error {
	s := q.store
	if _, err := s.write.Exec("UPDATE command SET state = ?, error = ? WHERE state = ? AND "+isOpen, device.Uncertain,
		"Switchboard ended while it was written", device.Writing); err != nil {
		return err
	}
	var last sql.NullInt64
	if err := s.write.QueryRow("SELECT count(*), max(seq) FROM command").Scan(&q.kept, &last); err != nil {
		return err
	}
	q.next = last.Int64 + 1
	rows, err := s.write.Query("SELECT seq, fleet, name, id, at, state, expires, written, session, ack, pattern, timeout, " +
		"CASE WHEN state = 'written' AND ack IN ('echo', 'sequence') THEN data ELSE x'' END " +
		"FROM command WHERE " + isOpen + " ORDER BY seq")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		it, c, f := &item{durable: true}, device.Command{}, &flight{}
		if err := rows.Scan(&it.seq, &c.Fleet, &c.Name, &it.id, &c.When, &it.state, &it.expires, &f.written, &f.session, &c.Ack.By,
			&c.Ack.Pattern, &c.Ack.Timeout, &c.Data); err != nil {
			return err
		}
		t := q.of(key{c.Fleet, c.Name})
		it.target, it.uplink, c.ID = t, c.When == Uplink, it.id
		if it.state == device.Queued {
			t.put(it)
			q.clock.set(it, it.expires)
		} else {
			if f.rule, err = newRule(&c); err != nil {
				return fmt.Errorf("command %s: %w", c.ID, err)
			}
			f.data = c.Data
			it.flight, t.flight = f, it
			q.clock.set(it, f.written+f.rule.timeout.Microseconds())
		}
		q.changed(t)
	}
	return rows.Err()
}
