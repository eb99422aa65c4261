package command

import (
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// writer puts all that changes on disk: what waits is joined into one transaction (group commit).
type writer struct {
	store  *store
	logger *slog.Logger
	urgent chan struct{} // holds a value when ops has any
	lazy   chan struct{} // holds a value when behind has any, and no time is set for it
	stop   chan struct{}

	wrote atomic.Bool // something, since the log was taken into the file

	mu     sync.Mutex
	ops    []op             // somebody waits for them
	behind map[int64]change // the newest of each command, that nobody waits for
	flush  bool             // behind is to go with the next transaction
	closed bool
}

// op is a part of a transaction: done is called when all of it is on disk, or with why it is not.
type op struct {
	do   func(tx *batch) error
	done func(err error)
}

// How long what nobody waits for may wait for the disk, so that a command's states, and those of many, are written at once; and
// how long after the disk refused nothing is tried.
const (
	behindDelay = 50 * time.Millisecond
	writePause  = 500 * time.Millisecond
)

func newWriter(s *store, logger *slog.Logger) *writer {
	return &writer{store: s, logger: logger, urgent: make(chan struct{}, 1), lazy: make(chan struct{}, 1), stop: make(chan struct{}),
		behind: map[int64]change{}}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put has o done in the next transaction.
func (w *writer) put(o op) {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		go o.done(ErrClosed) // who puts holds locks that done takes
		return
	}
	w.ops = append(w.ops, o)
	w.mu.Unlock()
	signal(w.urgent)
}

// later has c put on disk soon.
func (w *writer) later(c change) {
	w.mu.Lock()
	w.behind[c.seq] = c
	first := len(w.behind) == 1
	w.mu.Unlock()
	if first {
		signal(w.lazy)
	}
}

// forget is to be called before an op is put that changes the command as well: what waits of it is older.
func (w *writer) forget(seq int64) {
	w.mu.Lock()
	delete(w.behind, seq)
	w.mu.Unlock()
}

// settled waits until all that was given to later is on disk, so that who reads sees it.
func (w *writer) settled() error {
	w.mu.Lock()
	none, closed := len(w.behind) == 0 && len(w.ops) == 0, w.closed
	w.flush = w.flush || !none
	w.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if none {
		w.store.await()
		return nil
	}
	done := make(chan error, 1)
	w.put(op{do: func(*batch) error { return nil }, done: func(err error) { done <- err }})
	return <-done
}

// close puts all that waits on disk, and takes nothing any more.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	close(w.stop)
}

func (w *writer) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-w.urgent:
		case <-w.lazy:
			timer.Reset(behindDelay)
			continue
		case <-timer.C:
			w.flushNext()
		case <-w.stop:
			w.flushNext()
			w.commit()
			return
		}
		if err := w.commit(); err != nil {
			w.flushNext()
			timer.Reset(writePause)
			select {
			case <-timer.C:
			case <-w.stop:
			}
			signal(w.urgent)
		}
	}
}

func (w *writer) flushNext() {
	w.mu.Lock()
	w.flush = true
	w.mu.Unlock()
}

// commit puts all that somebody waits for on disk in one transaction, and what else there is if it is time.
func (w *writer) commit() error {
	w.store.committing.Lock()
	w.mu.Lock()
	ops, behind := w.ops, map[int64]change(nil)
	if w.ops = nil; w.flush {
		behind, w.behind, w.flush = w.behind, map[int64]change{}, false
	}
	w.mu.Unlock()
	var err error
	if len(ops)+len(behind) > 0 {
		err = w.store.commit(behind, ops)
		w.wrote.Store(true)
	}
	if err != nil {
		w.logger.Error("commands cannot be put on disk", "error", err)
		w.mu.Lock()
		if behind != nil {
			maps.Copy(behind, w.behind) // what is newer counts
			w.behind = behind
		}
		w.mu.Unlock()
	}
	w.store.committing.Unlock()
	for _, o := range ops {
		o.done(err)
	}
	return err
}
