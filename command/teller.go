package command

import "sync"

// teller calls functions one after the other, in the order in which they were given, without holding up who gives them.
// What is given is bounded by the commands that are not over.
type teller struct {
	mu      sync.Mutex
	list    []func()
	running bool
}

// tell has f called soon. A goroutine lives while there is anything to call.
func (l *teller) tell(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, f)
	if !l.running {
		l.running = true
		go l.run()
	}
}

func (l *teller) run() {
	for {
		l.mu.Lock()
		list := l.list
		l.list = nil
		if len(list) == 0 {
			l.running = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		for _, f := range list {
			f()
		}
	}
}
