package recording

// Before is the number of the first event of a chunk, so chosen that at least so many received and sent bytes lie between
// it and the event of a number; 1 if there are not as many. Nothing is read for it: a chunk that does not say what passed in
// it counts for about what its events take.
func (l *Log) Before(number uint64, bytes int64) (first uint64, err error) {
	err = l.settled(func() error { first, err = l.before(number, bytes); return err },
		func(r *Recording) error { first, err = r.Before(number, bytes); return err })
	return first, err
}

func (l *Log) before(number uint64, bytes int64) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seldom().sealed != "" {
		return 0, errSealed
	}
	w := walk{number: number, left: bytes}
	if c := l.open; c != nil && c.count > 0 && w.reaches(c.first, c.count, c.received+c.sent) {
		return c.first, nil
	}
	for i := len(l.pending) - 1; i >= 0; i-- {
		if c := l.pending[i]; w.reaches(c.first, c.count, c.received+c.sent) {
			return c.first, nil
		}
	}
	for i := len(l.durable) - 1; i >= 0; i-- {
		if ref := &l.durable[i]; w.reaches(ref.first, ref.count, ref.bytes()) {
			return ref.first, nil
		}
	}
	return 1, nil
}

// Before is that of Log.
func (r *Recording) Before(number uint64, bytes int64) (uint64, error) {
	if r.log != nil {
		return r.log.Before(number, bytes)
	}
	w := walk{number: number, left: bytes}
	for i := len(r.entries) - 1; i >= 0; i-- {
		if ref := &r.entries[i].ref; w.reaches(ref.first, ref.count, ref.bytes()) {
			return ref.first, nil
		}
	}
	return 1, nil
}

// walk goes back over chunks from an event of a number, until enough bytes lie between.
type walk struct {
	number uint64
	left   int64
}

// reaches takes the next older chunk, and reports whether it is the one to begin with.
func (w *walk) reaches(first uint64, count uint32, bytes int64) bool {
	if first+uint64(count) <= w.number {
		w.left -= max(bytes, 0)
	}
	return first <= w.number && w.left <= 0
}

// bytes is how many were received and sent, or, where that is not known, about as many.
func (r *chunkRef) bytes() int64 {
	if r.flags&flagPassed != 0 {
		return int64(r.passed.received) + int64(r.passed.sent)
	}
	return max(int64(r.length)-headerSize-eventHeader*int64(r.count), 0)
}
