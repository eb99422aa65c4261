package command

import (
	"log/slog"
	"maps"
	"sync"
	"time"
)

// writer puts all that changes on disk: what waits is joined into one transaction (group commit).
type writer struct {
	store  *store
	logger *slog.Logger
	urgent chan struct{} // holds a value when ops has any
	lazy   chan struct{} // holds a value when behind has any
	stop   chan struct{}

	mu     sync.Mutex
	ops    []op             // somebody waits for them
	behind map[int64]change // the newest of each command, that nobody waits for
	closed bool
}

// op is a part of a transaction: done is called when all of it is on disk, or with why it is not.
type op struct {
	do   func(tx *batch) error
	done func(err error)
}

// How long what nobody waits for may wait for the disk, and how long after it refused nothing is tried.
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

// later has c put on disk soon: with the next transaction, or when some time is over.
func (w *writer) later(c change) {
	w.mu.Lock()
	w.behind[c.seq] = c
	w.mu.Unlock()
	signal(w.lazy)
}

// settled waits until all that was given to later is on disk, so that who reads sees it.
func (w *writer) settled() error {
	w.mu.Lock()
	none, closed := len(w.behind) == 0 && len(w.ops) == 0, w.closed
	w.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if none {
		w.store.committing.Lock() // the transaction that is under way
		w.store.committing.Unlock()
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
			select {
			case <-w.urgent:
			case <-timer.C:
			case <-w.stop:
			}
		case <-w.stop:
			w.commit()
			return
		}
		if err := w.commit(); err != nil {
			timer.Reset(writePause)
			select {
			case <-timer.C:
			case <-w.stop:
			}
			signal(w.lazy)
		}
	}
}

// commit puts all that there is on disk in one transaction.
func (w *writer) commit() error {
	w.store.committing.Lock()
	w.mu.Lock()
	ops, behind := w.ops, w.behind
	w.ops, w.behind = nil, map[int64]change{}
	w.mu.Unlock()
	var err error
	if len(ops)+len(behind) > 0 {
		err = w.store.commit(behind, ops)
	}
	if err != nil {
		w.logger.Error("commands cannot be put on disk", "error", err)
		w.mu.Lock()
		maps.Copy(behind, w.behind) // what is newer counts
		w.behind = behind
		w.mu.Unlock()
	}
	w.store.committing.Unlock()
	for _, o := range ops {
		o.done(err)
	}
	return err
}
