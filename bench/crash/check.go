//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// acknowledged is what a session was promised.
type acknowledged struct {
	start  int64
	number uint64 // up to this one its events are on disk
}

// check opens the folder again and holds it to what was acknowledged.
func (t *tally) check(dir string, acks map[session.ID]*acknowledged) error {
	begin := time.Now()
	store, err := recording.Open(options(dir))
	if err != nil {
		return err
	}
	t.reopen = append(t.reopen, time.Since(begin).Seconds())
	listed := map[session.ID]bool{}
	for _, sum := range store.Pending() {
		listed[sum.ID] = true
	}
	if err := store.Walk(func(sum session.Summary) error { listed[sum.ID] = true; return nil }); err != nil {
		return errors.Join(err, store.Close())
	}
	for id, at := range acks {
		t.all[id] = at
		t.sessions++
		t.acknowledged += int(at.number) - 1
		if !listed[id] {
			t.unlisted++
		}
		t.play(store, id, at)
	}
	return store.Close()
}

// miss counts events that are not there. Only what was acknowledged is lost; the rest was half-written when the kill
// came.
func (t *tally) miss(at *acknowledged, first, last uint64) {
	if first <= at.number {
		t.lost += int(min(last, at.number) - first + 1)
	}
}

// play reads a recording from its first event to its last.
func (t *tally) play(store *recording.Store, id session.ID, at *acknowledged) {
	last, closed := uint64(0), false
	defer func() {
		if last < at.number {
			t.lost += int(at.number - last)
		}
		if !closed {
			t.unplayable++
		}
	}()
	rec, err := store.Recording(id, at.start)
	if err != nil {
		return
	}
	defer rec.Close()
	cursor := rec.Cursor(1)
	defer cursor.Close()
	for {
		events, err := cursor.Next(context.Background())
		if err != nil {
			closed = closed && errors.Is(err, io.EOF)
			return
		}
		for _, e := range events {
			if e.Number != last+1 {
				t.wrong++
			}
			if e.Kind == session.Gap { // it stands for events: those that were acknowledged are lost
				var m session.Missing
				if err := json.Unmarshal(e.Data, &m); err != nil {
					t.wrong++
				}
				t.miss(at, e.Number, e.Number+max(m.Events, 1)-1)
				last = e.Number + max(m.Events, 1) - 1
				continue
			}
			if e.Kind == session.Received && !bytes.Equal(e.Data, content(id, e.Number)) {
				t.wrong++
			}
			last, closed = e.Number, e.Kind == session.Closed
		}
	}
}
