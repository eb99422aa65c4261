package clients_test

import (
	"slices"
	"sync"

	"github.com/switchboard-relay/switchboard/socketio"
)

// ends remembers why sockets ended. One that is recovered may do so several times.
type ends struct {
	mu      sync.Mutex
	reasons map[string][]socketio.Reason
	waiting map[string][]waiter
}

type waiter struct {
	nth int
	to  chan<- socketio.Reason
}

// key tells sockets of the namespaces of one server apart.
func key(s *socketio.Socket, id string) string { return s.Namespace().Name() + " " + id }

func (e *ends) add(key string, reason socketio.Reason) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reasons[key] = append(e.reasons[key], reason)
	e.waiting[key] = slices.DeleteFunc(e.waiting[key], func(w waiter) bool {
		if w.nth != len(e.reasons[key]) {
			return false
		}
		w.to <- reason
		return true
	})
}

// nth gives the reason of a socket's nth end, when there is one.
func (e *ends) nth(key string, nth int) <-chan socketio.Reason {
	e.mu.Lock()
	defer e.mu.Unlock()
	to := make(chan socketio.Reason, 1)
	if reasons := e.reasons[key]; nth <= len(reasons) {
		to <- reasons[nth-1]
	} else {
		e.waiting[key] = append(e.waiting[key], waiter{nth, to})
	}
	return to
}
