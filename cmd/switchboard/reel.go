package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// reel reads a session from the server in pages, so that neither a long pause nor a slow playback keeps an answer of
// the server open. A live session is followed once what is recorded of it has been read.
type reel struct {
	client    *client
	sum       session.Summary
	direction string
	bare      bool
}

// place is where reading begins: at an event's number, or else at an offset from the session's start.
type place struct {
	number uint64
	offset time.Duration
}

// page is some events in order, or why there are no more.
type page struct {
	events []session.Event
	err    error
}

const (
	firstPage   = 256     // events
	largestPage = 8192    // events
	pageBytes   = 1 << 20 // a page with as much data is full
)

// feed sends pages from a place on and closes the channel after the last. A failure is the last thing sent.
func (r reel) feed(ctx context.Context, from place, pages chan<- page) {
	defer close(pages)
	send := func(p page) bool {
		select {
		case pages <- p:
			return true
		case <-ctx.Done():
			return false
		}
	}
	pos, at := position{number: from.number}, span{}
	if from.number == 0 && from.offset > 0 {
		at = span{bySince: true, since: from.offset}
	}
	for over := false; !over; at = (span{}) {
		var err error
		if r.sum.State == session.Live {
			r.sum, err = r.client.session(ctx, string(r.sum.ID)) // it has grown, and may have ended
		}
		if err == nil {
			over, err = r.recorded(ctx, &pos, at, send)
		}
		switch {
		case err != nil || over:
		case r.sum.State == session.Live:
			over, err = r.follow(ctx, &pos, send) // if its stream breaks, what was missed is recorded
		default:
			over = true
		}
		if err != nil {
			send(page{err: err})
			return
		}
	}
}

// recorded reads what there is, page by page. It reports whether the session is over.
func (r reel) recorded(ctx context.Context, pos *position, at span, send func(page) bool) (over bool, err error) {
	size := uint64(firstPage)
	for {
		pos.number = max(pos.number, 1)
		if !at.bySince {
			at.to = pos.number + size
		}
		p, err := r.page(ctx, pos, at, int(size))
		switch {
		case err != nil:
			return false, err
		case len(p.events) > 0:
			if !send(p) || p.events[len(p.events)-1].Kind == session.Closed {
				return true, nil
			}
		case at.bySince:
			*pos = position{number: r.sum.Events + 1}
			return false, nil
		case at.to >= r.sum.Events:
			return false, nil
		default:
			*pos = position{number: at.to + 1} // nothing is left of this stretch
		}
		if p.size() < pageBytes/4 {
			size = min(2*size, largestPage)
		} else if p.size() >= pageBytes {
			size = max(size/2, 1)
		}
		at = span{}
	}
}

func (r reel) page(ctx context.Context, pos *position, at span, limit int) (p page, err error) {
	at.direction, at.bare = r.direction, r.bare
	stream, err := r.client.events(ctx, r.sum.ID, pos, at)
	if err != nil {
		return p, err
	}
	defer stream.Close()
	for bytes := 0; len(p.events) < limit && bytes < pageBytes; {
		ev, err := stream.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return p, err
		}
		p.events = append(p.events, ev)
		bytes += len(ev.Data)
	}
	return p, nil
}

func (p page) size() (bytes int) {
	for _, ev := range p.events {
		bytes += len(ev.Data)
	}
	return bytes
}

// follow reads what comes. It reports whether the session is over; if it is not, the stream broke.
func (r reel) follow(ctx context.Context, pos *position, send func(page) bool) (over bool, err error) {
	stream, err := r.client.events(ctx, r.sum.ID, pos, span{follow: true, direction: r.direction, bare: r.bare})
	if err != nil {
		return false, err
	}
	defer stream.Close()
	for {
		ev, err := stream.next()
		if err != nil {
			return false, ctx.Err()
		}
		if !send(page{events: []session.Event{ev}}) || ev.Kind == session.Closed {
			return true, nil
		}
	}
}
