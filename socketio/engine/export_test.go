package engine

// Polled reports whether a poll waits.
func (c *Conn) Polled() bool { return c.isReady() }

// Places is how many addresses the server remembers.
func (s *Server) Places() int {
	s.places.mu.Lock()
	defer s.places.mu.Unlock()
	return len(s.places.table)
}
