package recording

import (
	"context"
)

// WaitDurable waits until the event is on disk. An event that is not recorded does not wait.
func (l *Log) WaitDurable(ctx context.Context, number uint64) error {
	if !l.recorded() {
		return nil
	}
	for {
		l.mu.Lock()
		if l.durableTo() >= number {
			l.mu.Unlock()
			return nil
		}
		if l.seldom().dead != nil || l.stopped {
			err := l.seldom().dead
			l.mu.Unlock()
			return cmpErr(err, ErrInterrupted)
		}
		if l.seldom().committed == nil {
			l.needRare().committed = make(chan struct{})
		}
		committed := l.seldom().committed
		l.mu.Unlock()
		select {
		case <-committed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// durableTo is the number of the newest event on disk; l.mu is held.
func (l *Log) durableTo() uint64 {
	if n := len(l.durable); n > 0 {
		return l.durable[n-1].last()
	}
	return 0
}

// Durable is the number of the newest event that is on disk. All before it are as well.
func (l *Log) Durable() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seldom().sealed != "" {
		return l.next - 1
	}
	return l.durableTo()
}
