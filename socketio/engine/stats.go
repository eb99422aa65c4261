package engine

import (
	"maps"
	"sync"
)

// Stats counts connections.
type Stats struct {
	Connections int // open now
	Polling     int // of them, over long-polling
	WebSocket   int // of them, over WebSocket

	Opened   uint64            // since the start
	Upgraded uint64            // from polling to WebSocket
	Closed   map[Reason]uint64 // why connections closed
	// Refused is why requests were refused: transport, session, method, request, jsonp, origin, revision, connections,
	// address, rate, shutdown, payload, handler.
	Refused map[string]uint64
}

// counts is Stats in the making.
type counts struct {
	mu    sync.Mutex
	stats Stats
}

// Stats counts connections.
func (s *Server) Stats() Stats {
	c := &s.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.stats
	stats.Connections = stats.Polling + stats.WebSocket
	stats.Closed = maps.Clone(stats.Closed)
	stats.Refused = maps.Clone(stats.Refused)
	return stats
}

// Len is how many connections there are.
func (s *Server) Len() int {
	c := &s.counts
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats.Polling + c.stats.WebSocket
}

func (c *counts) refuse(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stats.Refused == nil {
		c.stats.Refused = map[string]uint64{}
	}
	c.stats.Refused[name]++
}

func (c *counts) open(polling bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Opened++
	if polling {
		c.stats.Polling++
	} else {
		c.stats.WebSocket++
	}
}

func (c *counts) upgrade() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Upgraded++
	c.stats.Polling--
	c.stats.WebSocket++
}

func (c *counts) close(polling bool, reason Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stats.Closed == nil {
		c.stats.Closed = map[Reason]uint64{}
	}
	c.stats.Closed[reason]++
	if polling {
		c.stats.Polling--
	} else {
		c.stats.WebSocket--
	}
}
