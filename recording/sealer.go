package recording

import (
	"fmt"
	"runtime"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

const (
	sealBatch  = 1024    // sessions made durable together
	sealBuffer = 1 << 20 // bytes copied at once

	calmPoll  = 10 * time.Millisecond
	calmLimit = time.Second // that a batch of files waits for the journal to have less to do

	sealShare = 10               // the sealer works a tenth of what the processors can,
	sealMany  = 16 << 10         // and more the more sessions wait for it: all it can from here on
	restLeast = time.Millisecond // that is worth a rest
	restMost  = 100 * time.Millisecond
)

// toSeal hands an ended log, durable to its end, to the sealer.
func (s *Store) toSeal(l *Log) {
	s.mu.Lock()
	s.toDo = append(s.toDo, l)
	s.mu.Unlock()
	s.wakeSealer()
}

func (s *Store) wakeSealer() {
	select {
	case s.sealIt <- struct{}{}:
	default:
	}
}

func (s *Store) checkpointSoon() {
	s.check.Store(true)
	s.wakeSealer()
}

// sealer gives ended sessions files of their own, until the store stops.
func (s *Store) sealer() {
	for _, path := range s.found {
		s.reportFound(path)
	}
	s.found = nil
	for {
		select {
		case <-s.sealIt:
		case <-s.stop:
			return
		}
		for more := true; more; { // sessions may end faster than they are sealed: the journal is looked after all the same
			more = s.sealSome()
			if s.check.Swap(false) {
				s.checkpoint()
			}
		}
	}
}

// journalIsLong reports whether the journal is half as long as it may be: then nothing is to wait for its file.
func (s *Store) journalIsLong() bool {
	s.smu.Lock()
	defer s.smu.Unlock()
	return int64(len(s.segments))*s.opt.SegmentSize > s.opt.JournalLimit/2
}

// awaitCalm waits while much waits for the disk: an ended session can wait for its file, a live one cannot go on. It
// does not wait once the journal is long, nor while the store closes.
func (s *Store) awaitCalm(deadline time.Time) {
	for s.queued.Load() > s.opt.QueueLimit/8 && time.Now().Before(deadline) {
		if s.journalIsLong() {
			return
		}
		select {
		case <-time.After(calmPoll):
		case <-s.closing:
			return
		case <-s.stop:
			return
		}
	}
}

// rest follows work of the sealer, so that many sessions that end at once do not take the processors from those that go on,
// or come back. It returns the work that has not been rested from. There is none once the journal is long, and never a long
// one: what is taken for work may have been waiting for a disk.
func (s *Store) rest(worked time.Duration) time.Duration {
	s.mu.Lock()
	waiting := len(s.toDo)
	s.mu.Unlock()
	pause := worked*sealShare/time.Duration(runtime.GOMAXPROCS(0)) - worked
	pause -= pause * time.Duration(min(waiting, sealMany)) / sealMany
	if pause < restLeast {
		return worked
	}
	if s.journalIsLong() {
		return 0
	}
	select {
	case <-time.After(min(pause, restMost)):
	case <-s.closing:
	case <-s.stop:
	}
	return 0
}

// reportFound tells of a file that was complete when a crash came, and may not have been told of.
func (s *Store) reportFound(path string) {
	r, err := openSealed(path)
	if err != nil {
		return
	}
	defer r.Close()
	if s.opt.OnSealed != nil {
		s.opt.OnSealed(r.Summary())
	}
}

// sealSome seals what is ready, up to a batch; false means that nothing was.
func (s *Store) sealSome() bool {
	s.mu.Lock()
	n := min(len(s.toDo), sealBatch)
	logs := append([]*Log(nil), s.toDo[:n]...)
	s.toDo = append([]*Log(nil), s.toDo[n:]...)
	s.mu.Unlock()
	if n == 0 {
		return false
	}
	done := make([]*Log, 0, n)
	paths := make([]string, 0, n)
	sums := make([]session.Summary, 0, n)
	var failed error
	calmBy := time.Now().Add(calmLimit)
	worked := time.Duration(0)
	for i, l := range logs {
		s.awaitCalm(calmBy)
		began := time.Now()
		path, sum, err := s.seal(l)
		if err != nil {
			failed = err
			s.postpone(logs[i:])
			break
		}
		done, paths, sums = append(done, l), append(paths, path), append(sums, sum)
		worked = s.rest(worked + time.Since(began))
	}
	if s.opt.Sync == SyncGroup && len(done) > 0 {
		if err := syncAll(s.sealedDir(), paths); err != nil {
			failed = err
			s.postpone(done)
			done = nil
		}
	}
	for i, l := range done {
		began := time.Now()
		s.sealedNow(l, paths[i], sums[i])
		worked = s.rest(worked + time.Since(began))
	}
	s.retireSegments()
	if failed != nil {
		return s.retryLater(failed)
	}
	s.sealTrouble = false
	return true
}

func (s *Store) postpone(logs []*Log) {
	s.mu.Lock()
	s.toDo = append(append([]*Log(nil), logs...), s.toDo...)
	s.mu.Unlock()
}

// retryLater waits before the next try; false means that the store stops.
func (s *Store) retryLater(err error) bool {
	if !s.sealTrouble {
		s.sealTrouble = true
		s.opt.Logger.Error("ended sessions cannot be given files of their own; "+
			"they stay in the journal and it is tried again", "error", err, "mend", mend(err))
	}
	select {
	case <-time.After(retryEvery):
		return true
	case <-s.stop:
		return false
	case <-s.closing:
		s.fmu.Lock()
		if s.failure == nil {
			s.failure = fmt.Errorf("ended sessions stay in the journal: %w", err)
		}
		s.fmu.Unlock()
		s.mu.Lock()
		s.idle.Broadcast()
		s.mu.Unlock()
		return false
	}
}
