package engine

import (
	"errors"
	"fmt"
	"time"
)

var (
	errSaidClose = errors.New("the client said that it goes")
	errOver      = errors.New("the connection has ended")
	errDirection = errors.New("a ping or pong in the wrong direction")
)

// refusedMessage is an error of the handler.
type refusedMessage struct{ error }

// receive takes a packet. Its error is for broken.
func (c *Conn) receive(k packet) error {
	c.receiving.Lock()
	defer c.receiving.Unlock()
	if c.over.Load() != nil {
		return errOver
	}
	c.throttle()
	err := c.handle(k)
	c.seen.Store(int64(c.server.now())) // behind the handler: who was not read while it worked is not late
	return err
}

func (c *Conn) handle(k packet) error {
	switch k.kind {
	case typeMessage:
		if err := c.server.handler.Message(c, k.data, k.binary); err != nil {
			return refusedMessage{err}
		}
	case typePing:
		if !c.older {
			return errDirection
		}
		c.Send(newPacket(typePong, k.data)) // an error is an end, which the reader sees
	case typePong:
		if c.older {
			return errDirection
		}
	case typeClose:
		return errSaidClose
	}
	return nil
}

// broken ends the connection for an error of receive, or of what reads packets.
func (c *Conn) broken(err error) {
	var handlers refusedMessage
	switch {
	case errors.Is(err, errOver):
	case errors.Is(err, errSaidClose):
		c.end(TransportClose, nil, asAsked)
	case errors.Is(err, errDirection):
		c.end(TransportError, err, atOnce)
	case errors.As(err, &handlers):
		c.end(ParseError, handlers.error, afterWaiting)
	default:
		c.end(ParseError, fmt.Errorf("malformed: %w", err), atOnce)
	}
}

// throttleStep is how long a client that is read slower may go on unread after the connection's end.
const throttleStep = 100 * time.Millisecond

// throttle waits until the client may say one more thing; c.receiving is held. The clock is asked only when the
// budget of a second is used up: what came in since may be as much again.
func (c *Conn) throttle() {
	rate := c.server.opt.MessageRate
	if rate < 0 {
		return
	}
	burst := max(1, rate)
	for c.budget.tokens < 1 && c.over.Load() == nil {
		now := c.server.now()
		if c.budget.at == 0 {
			c.budget = bucket{tokens: burst, at: now}
		}
		c.budget.fill(now, rate, burst)
		if c.budget.tokens < 1 {
			missing := min(burst, max(1, rate/100)) - c.budget.tokens // 10 ms at once: sleeping costs
			time.Sleep(min(throttleStep, time.Duration(missing/rate*float64(time.Second))+time.Microsecond))
		}
	}
	c.budget.tokens--
}
