package web

import (
	"io/fs"
	"net/http"
	"time"

	"github.com/switchboard-relay/switchboard/auth"
	"github.com/switchboard-relay/switchboard/session"
)

// SetBodyLimit changes how long a body may take, and returns what changes it back.
func SetBodyLimit(d time.Duration) (restore func()) {
	was := bodyLimit
	bodyLimit = d
	return func() { bodyLimit = was }
}

// Changed tells viewers of a change, as REST does.
func (h *Handler) Changed(id session.ID, what string) { h.server.changed(id, what) }

// SetFailurePeriod changes for how long failed sign-ins are counted, and returns what changes it back.
func SetFailurePeriod(d time.Duration) (restore func()) {
	was := failurePeriod
	failurePeriod = d
	return func() { failurePeriod = was }
}

// SetOpenStays changes for how long who opened a session counts as a viewer, and returns what changes it back.
func SetOpenStays(d time.Duration) (restore func()) {
	was := openStays
	openStays = d
	return func() { openStays = was }
}

// Identify tells who sends a request.
func (h *Handler) Identify(r *http.Request) (auth.Identity, bool) { return h.server.identify(r) }

// Build is the hash of the console that is built in.
func Build() string { return embedded().build }

// ConsoleOf serves a folder's files as the console's, and tells their hash.
func ConsoleOf(folder fs.FS) (h http.Handler, build string) {
	c := readConsole(folder)
	return http.HandlerFunc(c.file), c.build
}

// Tick has the live list look once more.
func (h *Handler) Tick() {
	b := h.server.viewers.board
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tick(time.Now())
}

// LeftOut is how many who look on get no live list until they have read.
func (h *Handler) LeftOut() (n int) {
	b := h.server.viewers.board
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lookers {
		if !l.told {
			n++
		}
	}
	return n
}

// Renew tells all who look on the whole live list.
func (h *Handler) Renew() {
	b := h.server.viewers.board
	b.mu.Lock()
	defer b.mu.Unlock()
	for v, l := range b.lookers {
		b.without(v, l)
	}
	b.tellAll()
}

// AlsoOnChange has f called besides when somebody changes something; nothing may be served yet.
func (h *Handler) AlsoOnChange(f func(id session.ID, what string)) {
	tell := h.server.onChange
	h.server.onChange = func(id session.ID, what string) {
		tell(id, what)
		f(id, what)
	}
}

// SetStreamAway changes how long a stream may be away, and returns what changes it back.
func SetStreamAway(d time.Duration) (restore func()) {
	was := streamAway
	streamAway = d
	return func() { streamAway = was }
}

// AttachesForgotten reports whether a connection can become that of a stream that nobody waits for any more.
func (h *Handler) AttachesForgotten() bool {
	in := h.server.intakes.add(&intake{server: h.server, id: "4tq9m2xk7bfd-n1"})
	in.giveUp(session.End{})
	return in.attach(nil, "")
}
