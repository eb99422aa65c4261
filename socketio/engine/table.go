package engine

import (
	"crypto/rand"
	"encoding/base64"
	"sync"
)

// id is a connection's, unguessable: who knows it can poll in its client's name.
type id [15]byte

func newID() (i id) {
	rand.Read(i[:]) // it never fails
	return i
}

func (i id) String() string { return base64.RawURLEncoding.EncodeToString(i[:]) }

func parseID(s string) (i id, ok bool) {
	if len(s) != base64.RawURLEncoding.EncodedLen(len(i)) {
		return i, false
	}
	_, err := base64.RawURLEncoding.Decode(i[:], []byte(s))
	return i, err == nil
}

// shelves is how many parts the table has. Each is swept at a time of its own, and has a lock of its own.
const shelves = 16

// table is the connections that can be asked for: those which have ended but owe a poll its answer, too.
type table [shelves]shelf

type shelf struct {
	mu    sync.Mutex
	conns map[id]*Conn
}

func (t *table) init() {
	for i := range t {
		t[i].conns = map[id]*Conn{}
	}
}

func (t *table) shelf(i id) *shelf { return &t[i[0]%shelves] }

func (t *table) find(sid string) *Conn {
	i, ok := parseID(sid)
	if !ok {
		return nil
	}
	s := t.shelf(i)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[i]
}

func (t *table) add(c *Conn) {
	s := t.shelf(c.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c.id] = c
}

// remove reports whether c was there.
func (t *table) remove(c *Conn) bool {
	s := t.shelf(c.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.conns[c.id]
	delete(s.conns, c.id)
	return there
}

func (s *shelf) list(to []*Conn) []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		to = append(to, c)
	}
	return to
}

func (t *table) all() (list []*Conn) {
	for i := range t {
		list = t[i].list(list)
	}
	return list
}
