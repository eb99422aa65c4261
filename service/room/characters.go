package room

import (
	"sync"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/room"
	"github.com/switchboard-relay/switchboard/session"
)

// beginnings are the first bytes of characters whose rest has not come, by who said them. There are few, and never
// long.
type beginnings struct {
	mu   sync.Mutex
	held map[session.ID][]byte
}

// say says a chunk without the beginning of a character at its end, behind what was held of the chunk before.
func (b *beginnings) say(r *room.Room, from session.ID, data []byte) error {
	if held := b.release(from); len(held) > 0 {
		data = append(held, data...)
	}
	for len(data) > room.MaxMessage {
		n := room.MaxMessage - begun(data[:room.MaxMessage])
		if err := r.Say(from, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	n := len(data) - begun(data)
	if n < len(data) {
		b.hold(from, data[n:])
	}
	if n == 0 {
		return nil
	}
	return r.Say(from, data[:n])
}

// begun is how many bytes at the end begin a character of UTF-8 and do not finish it.
func begun(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if tail := p[len(p)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

func (b *beginnings) hold(from session.ID, p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held == nil {
		b.held = map[session.ID][]byte{}
	}
	b.held[from] = append([]byte(nil), p...)
}

// release gives back what is held of one, and holds it no longer.
func (b *beginnings) release(from session.ID) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.held[from]
	if p != nil {
		delete(b.held, from)
	}
	return p
}
