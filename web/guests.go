package web

import (
	"context"
	"net/http"
	"sync"

	"github.com/switchboard-relay/switchboard/auth"
)

// guests are the requests that are being answered and change nothing, as those who follow a session: for each what cuts it
// off, should its token be taken away.
type guests struct {
	mu sync.Mutex
	m  map[*http.Request]guest
}

type guest struct {
	who auth.Identity
	cut context.CancelCauseFunc
}

// enter adds a request, until leave is called. Its context ends with errNoToken if it is cut off.
func (g *guests) enter(r *http.Request, id auth.Identity) (ctx context.Context, leave func()) {
	ctx, cut := context.WithCancelCause(r.Context())
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.m == nil {
		g.m = map[*http.Request]guest{}
	}
	g.m[r] = guest{id, cut}
	return ctx, func() {
		g.mu.Lock()
		delete(g.m, r)
		g.mu.Unlock()
		cut(nil)
	}
}

// recheck cuts off those who would not be let in as who they are any more.
func (g *guests) recheck(sender func(*http.Request) (auth.Identity, error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for r, guest := range g.m {
		if id, err := sender(r); err != nil || id != guest.who {
			guest.cut(errNoToken)
		}
	}
}
