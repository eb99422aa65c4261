//go:build linux

package main

import (
	"bytes"
	"context"
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
		t.sessions++
		t.acknowledged += int(at.number) - 1
		if !listed[id] {
			t.unlisted++
		}
		t.play(store, id, at)
	}
	return store.Close()
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
			if e.Number != last+1 || e.Kind == session.Gap {
				t.wrong++
			}
			if e.Kind == session.Received && !bytes.Equal(e.Data, content(id, e.Number)) {
				t.wrong++
			}
			last, closed = e.Number, e.Kind == session.Closed
		}
	}
}
