package hub

import (
	"context"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/screen"
	"github.com/switchboard-relay/switchboard/session"
)

// screenCache has the screens that were asked for last: many who watch ask for the same ones.
type screenCache struct {
	mu    sync.Mutex
	m     map[cachedKey]*cachedScreen
	bytes int
}

// What the cache holds at most, and for how long.
const (
	cachedScreens = 128
	cachedBytes   = 16 << 20
	cachedFor     = 30 * time.Second
)

type cachedKey struct {
	id     session.ID
	number uint64
}

type cachedScreen struct {
	turn   chan struct{} // who has put a value in makes the screen
	screen screen.Screen // once it is made: Data is there
	used   time.Time     // guarded by the cache's mu
	bytes  int           // as well
}

func (c *screenCache) init() { c.m = map[cachedKey]*cachedScreen{} }

// get returns a screen that is there, or makes it. Who asks for the same one meanwhile waits for it.
func (c *screenCache) get(ctx context.Context, key cachedKey, make func() (screen.Screen, error)) (screen.Screen, error) {
	e := c.entry(key)
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return screen.Screen{}, context.Cause(ctx)
	}
	defer func() { <-e.turn }()
	if e.screen.Data != nil {
		return e.screen, nil
	}
	s, err := make()
	if err == nil {
		e.screen = s
		c.weigh(key, e, len(s.Data))
	}
	return s, err
}

func (c *screenCache) entry(key cachedKey) *cachedScreen {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.m[key]
	if e == nil {
		e = &cachedScreen{turn: make(chan struct{}, 1)}
		c.m[key] = e
		c.shrink()
	}
	e.used = time.Now()
	return e
}

func (c *screenCache) weigh(key cachedKey, e *cachedScreen, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m[key] == e {
		e.bytes = bytes
		c.bytes += bytes
		c.shrink()
	}
}

// shrink drops what was used the longest ago, as long as there is too much; c.mu is held.
func (c *screenCache) shrink() {
	for len(c.m) > cachedScreens || c.bytes > cachedBytes && len(c.m) > 1 {
		var oldest cachedKey
		var at time.Time
		for key, e := range c.m {
			if at.IsZero() || e.used.Before(at) {
				oldest, at = key, e.used
			}
		}
		c.drop(oldest)
	}
}

func (c *screenCache) drop(key cachedKey) {
	c.bytes -= c.m[key].bytes
	delete(c.m, key)
}

// trim drops what nobody asked for lately.
func (c *screenCache) trim(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.m {
		if now.Sub(e.used) > cachedFor {
			c.drop(key)
		}
	}
}
