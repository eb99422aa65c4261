package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
)

// WatchCmd follows a session.
type WatchCmd struct {
	serverFlags
	viewFlags
	JSON bool   `name:"json" xor:"view" help:"Each event as a line of JSON."`
	From string `placeholder:"N|now" help:"The event to begin with; now leaves out what was before. Without it, the first; raw, a terminal begins with its screen, now."`
	ID   string `arg:"" help:"The session's id, the first characters of it, or a source's session as KIND:ID."`
}

// redialEvery is the pause before a broken connection is made again.
const redialEvery = time.Second

// Run prints events until the session ends or the person does.
func (c *WatchCmd) Run(ctx context.Context, std *stdio) error {
	from, err := c.from()
	if err != nil {
		return err
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	sum, err := server.found(ctx, c.ID)
	if err != nil {
		return err
	}
	if sum.Terminal != "" && sum.State == session.Live && c.looks(std) {
		look := JoinCmd{serverFlags: c.serverFlags, WatchOnly: true, ID: string(sum.ID)}
		return look.Run(ctx, std)
	}
	w := &watching{flags: c.serverFlags, server: server, std: std, sum: sum, pos: position{number: from},
		direction: c.Direction, bare: !c.JSON && c.bare(std)}
	if from == 0 {
		w.pos.number = sum.Events + 1
	}
	var screen []byte
	if c.draws(std, &sum) {
		if screen, err = w.begin(ctx, c.From, from); err != nil {
			return err
		}
	}
	out := bufio.NewWriterSize(std.out, 64<<10)
	w.out = out
	if c.JSON {
		w.show = c.lines(out)
	} else {
		w.show = newView(out, c.viewFlags, 0, sum.Datagrams()).event
	}
	out.Write(screen)
	out.Flush() // an error comes again
	err = w.run(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return out.Flush() // Ctrl-C is how a watcher leaves
	}
	if err != nil {
		return err
	}
	if c.Raw && asTerminal(std.err) != nil {
		std.note("session %s ended: %s", sum.ID, printable(w.end.Error()))
	}
	if told, is := answerOf(w.end); is && !c.JSON {
		std.note("%s: %s", printable(sum.Name), told)
	}
	return nil
}

// looks reports whether a live terminal is drawn as join --watch-only does: for a person at a terminal, unless a flag asks for
// events or bytes.
func (c *WatchCmd) looks(std *stdio) bool {
	return asTerminal(std.in) != nil && asTerminal(std.out) != nil &&
		!c.Raw && !c.Hex && !c.JSON && c.From == "" && c.Direction == "both"
}

// from is the number to begin with; 0 means after all that is there.
func (c *WatchCmd) from() (uint64, error) {
	switch c.From {
	case "now":
		return 0, nil
	case "":
		return 1, nil
	}
	n, err := strconv.ParseUint(c.From, 10, 64)
	if err != nil || n == 0 {
		return 0, badUsage("--from %s: must be an event's number, 1 or more, or now", c.From)
	}
	return n, nil
}

// begin has the watching begin behind what the terminal shows at the place that was asked for, and returns that.
func (w *watching) begin(ctx context.Context, asked string, from uint64) ([]byte, error) {
	var m moment
	if asked != "" && from > 0 {
		m = place{number: from}.before()
	}
	s, err := w.server.shot(ctx, w.sum.ID, m)
	w.pos.number = s.Number + 1
	return s.Data, err
}

// lines shows events as JSON lines.
func (c *WatchCmd) lines(w io.Writer) func(session.Event) error {
	var line []byte
	return func(ev session.Event) error {
		if !c.shows(ev) {
			return nil
		}
		line = append(export.AppendJSON(line[:0], ev), '\n')
		_, err := w.Write(line)
		return err
	}
}

// watching is one run of watch, over as many connections to the server as it takes.
type watching struct {
	direction string
	bare      bool
	flags     serverFlags
	server    *client
	std       *stdio
	sum       session.Summary
	pos       position
	out       *bufio.Writer
	show      func(session.Event) error
	ended     bool
	end       session.End
	away      bool // the server was lost, and that was said
}

// run follows the session to its end, through breaks of the connection to the server.
func (w *watching) run(ctx context.Context) error {
	for {
		before := w.pos
		err := w.follow(ctx)
		var refused *apiError
		var output *outputError
		switch {
		case w.ended:
			return w.out.Flush()
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &output):
			return output.error
		case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError:
			return err
		case err == nil && w.closedBefore(ctx, w.pos != before):
			return w.out.Flush()
		}
		if !w.away {
			w.away = true
			w.std.note("the connection to the server broke: trying again every second, Ctrl-C ends")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(redialEvery):
		}
		if found, err := w.flags.find(); err == nil {
			w.server = found // a server that was started again may have another address
		}
	}
}

// outputError is a failure of our own output, which no other connection mends.
type outputError struct{ error }

// follow shows events until the server's stream ends.
func (w *watching) follow(ctx context.Context) error {
	stream, err := w.server.events(ctx, w.sum.ID, &w.pos, span{follow: true, direction: w.direction, bare: w.bare})
	if err != nil {
		return err
	}
	defer stream.Close()
	if w.away {
		w.away = false
		w.std.note("the server is back")
	}
	for {
		ev, err := stream.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if ev.Kind == session.Closed {
			w.ended = true
			if err := json.Unmarshal(ev.Data, &w.end); err != nil {
				return fmt.Errorf("read how the session ended: %w", err)
			}
		}
		if err := w.show(ev); err != nil {
			return &outputError{err}
		}
		if !stream.more() {
			if err := w.out.Flush(); err != nil {
				return &outputError{err}
			}
		}
	}
}

// closedBefore asks how the session ended when a stream ends without saying it, as one from behind the last event does.
// It reports false if the session lives, or if the stream moved on and more may be read.
func (w *watching) closedBefore(ctx context.Context, moved bool) bool {
	sum, err := w.server.session(ctx, string(w.sum.ID))
	if err != nil || sum.State == session.Live || moved && w.pos.number < sum.Events {
		return false
	}
	w.end = session.End{Time: sum.End, Cause: sum.Cause, By: sum.By, Reason: sum.Reason, Detail: sum.Detail, Code: sum.Code}
	ev := session.Event{Number: sum.Events, Time: sum.End, Kind: session.Closed, Data: session.JSON(w.end)}
	return w.show(ev) == nil
}
