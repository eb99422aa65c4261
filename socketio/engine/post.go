package engine

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// servePost takes what the client says.
func (c *Conn) servePost(w http.ResponseWriter, r *http.Request) {
	parted, refused := c.beginPost()
	switch {
	case refused != nil:
		c.server.refuse(w, refused)
		return
	case parted:
		writeBody(w, htmlType, ok)
		return
	}
	b := buffers.Get().(*[]byte)
	defer putBuffer(b)
	err := c.readBody(b, w, r)
	if errors.Is(err, errTooLarge) {
		c.endPost()
		c.server.counts.refuse("payload")
		w.Header().Set("Connection", "close")
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		c.end(TransportError, err, atOnce)
		c.server.refuse(w, refusedRequest)
		return
	}
	octets := strings.HasPrefix(r.Header.Get("Content-Type"), octetsType[0])
	err = parsePayload(*b, c.older, octets, c.receive)
	c.endPost()
	if err != nil {
		c.broken(err)
	}
	if err != nil && !errors.Is(err, errSaidClose) {
		c.server.refuse(w, refusedRequest)
		return
	}
	writeBody(w, htmlType, ok) // an error is the client's
}

// beginPost reports whether the client has yet to hear that the connection is over: what it says until then is not heard, and
// no error, which would keep it from polling for the rest.
func (c *Conn) beginPost() (parted bool, refused *refusal) {
	now := c.server.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endOverdue(now)
	switch {
	case c.polling == nil:
		return false, refusedRequest
	case c.over.Load() != nil && c.polling.parting && c.polling.final != nil:
		return true, nil
	case c.over.Load() != nil:
		return false, refusedSession
	case c.polling.posting:
		c.endLocked(TransportError, errOverlap, atOnce)
		return false, refusedRequest
	}
	c.polling.posting = true
	return false, nil
}

func (c *Conn) endPost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.polling != nil {
		c.polling.posting = false
	}
}

var errTooLarge = errors.New("the payload is too large")

// readBody reads into b, which grows with what comes, not with what was announced.
func (c *Conn) readBody(b *[]byte, w http.ResponseWriter, r *http.Request) error {
	opt := &c.server.opt
	if r.ContentLength > int64(opt.MaxPayload) {
		return errTooLarge
	}
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(opt.PingInterval + opt.PingTimeout))
	defer control.SetReadDeadline(time.Time{})
	for {
		*b = slices.Grow(*b, 512)
		n, err := r.Body.Read((*b)[len(*b):cap(*b)])
		*b = (*b)[:len(*b)+n]
		switch {
		case len(*b) > opt.MaxPayload:
			return errTooLarge
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}
