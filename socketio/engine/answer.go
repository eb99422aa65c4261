package engine

import (
	"errors"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

var (
	textType   = []string{"text/plain; charset=UTF-8"}
	octetsType = []string{"application/octet-stream"}
	htmlType   = []string{"text/html"}
	noStore    = []string{"no-store"}
	ok         = []byte("ok")
)

// buffers are for payloads.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func putBuffer(b *[]byte) {
	if cap(*b) <= maxKept {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// write answers a poll. The messages cost so much until they are written.
func (c *Conn) write(w http.ResponseWriter, list []*Message, cost int) {
	b := buffers.Get().(*[]byte)
	defer putBuffer(b)
	var octets bool
	*b, octets = appendPayload(*b, list, c.older, c.b64)
	contentType := textType
	if octets {
		contentType = octetsType
	}
	err := writeBody(w, contentType, *b)
	now := c.server.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = max(0, c.held-cost)
	if p := c.polling; p != nil {
		p.writing--
		p.last = now
		if now-c.pinged >= c.server.opt.PingTimeout/2 && c.isUnanswered() {
			c.pinged = now // a ping may have been on its way for so long
		}
	}
	if err != nil {
		for _, m := range list {
			c.unsent += m.Size()
		}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.endLocked(Slow, err, atOnce)
	case err != nil:
		c.endLocked(TransportError, err, atOnce)
	}
}

const (
	writeWithin = 30 * time.Second // the body of an answer may take
	slowest     = 8 << 10          // bytes a second that it is given more time for
)

func writeBody(w http.ResponseWriter, contentType []string, body []byte) error {
	h := w.Header()
	h["Content-Type"] = contentType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["Cache-Control"] = noStore
	control := http.NewResponseController(w)
	limit := writeWithin + time.Duration(len(body)/slowest)*time.Second
	control.SetWriteDeadline(time.Now().Add(limit)) // where there is none to set, the client's pongs will be missed
	defer control.SetWriteDeadline(time.Time{})
	if _, err := w.Write(body); err != nil {
		return err
	}
	if err := control.Flush(); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
