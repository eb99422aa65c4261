package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/switchboard-relay/switchboard/session"
)

// PlayCmd plays a session back.
type PlayCmd struct {
	serverFlags
	viewFlags
	Speed float64       `default:"1" placeholder:"N" help:"How much faster than it was: 2 is twice as fast, 0.5 half."`
	From  string        `placeholder:"TIME|#N" help:"Where to begin: a time (1m30s, 1:30) or an event (#12)."`
	Idle  time.Duration `placeholder:"TIME" help:"Cut silences to this length."`
	ID    string        `arg:"" help:"The session's id, or the first characters of it."`
}

// Run plays. On a terminal it obeys keys and shows a status line; in a pipe it does neither.
func (c *PlayCmd) Run(ctx context.Context, std *stdio) error {
	if c.Speed < minSpeed || c.Speed > maxSpeed {
		return badUsage("--speed %v: must be from %v to %v", c.Speed, minSpeed, maxSpeed)
	}
	if c.Idle < 0 {
		return badUsage("--idle %v: must not be negative", c.Idle)
	}
	number, offset, err := parsePlace("--from", c.From)
	if err != nil {
		return err
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	sum, err := server.session(ctx, c.ID)
	if err != nil {
		return err
	}
	if sum.State != session.Live && number > sum.Events {
		return badUsage("--from #%d: the session has %d events", number, sum.Events)
	}
	var draw func(context.Context, moment) (shot, error)
	if c.draws(std, &sum) {
		draw = func(ctx context.Context, m moment) (shot, error) { return server.shot(ctx, sum.ID, m) }
	}
	err = c.play(ctx, std, reel{server, sum, c.Direction, c.bare(std)}, sum, place{number, offset}, draw)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // Ctrl-C is a way to leave
	}
	return err
}

func (c *PlayCmd) play(ctx context.Context, std *stdio, tape tape, sum session.Summary, from place,
	draw func(context.Context, moment) (shot, error)) error {
	out := bufio.NewWriterSize(std.out, 64<<10)
	p := &player{tape: tape, start: sum.Start, speed: c.Speed, idle: c.Idle, out: out, raw: c.Raw, draw: draw,
		view: newView(out, c.viewFlags, sum.Start, sum.Datagrams())}
	if sum.State != session.Live {
		p.length = micros(sum.End - sum.Start)
	}
	screen, keyboard := asTerminal(std.out), asTerminal(std.in)
	if screen != nil && keyboard != nil {
		before, err := term.MakeRaw(int(keyboard.Fd()))
		if err != nil {
			return fmt.Errorf("prepare the terminal: %w", err)
		}
		defer term.Restore(int(keyboard.Fd()), before)
		p.keys = readKeys(keyboard)
		if !c.Raw {
			p.view.lines.Out = &returns{w: out}
			p.status = &statusLine{w: out, width: func() int { return terminalWidth(screen) }, events: sum.Events}
		}
	}
	err := p.run(ctx, from)
	return errors.Join(err, out.Flush())
}

// parsePlace reads a flag such as --from: an event's number, or an offset.
func parsePlace(flag, s string) (number uint64, offset time.Duration, err error) {
	if s == "" {
		return 0, 0, nil
	}
	if n, found := strings.CutPrefix(s, "#"); found {
		number, err := strconv.ParseUint(n, 10, 64)
		if err != nil || number == 0 {
			return 0, 0, badUsage("%s %s: an event's number is 1 or more, as in #12", flag, s)
		}
		return number, 0, nil
	}
	if d, ok := parseClock(s); ok {
		return 0, d, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, 0, badUsage("%s %s: must be a time from the start (1m30s, 1:30) or an event (#12)", flag, s)
	}
	return 0, d, nil
}

// parseClock reads 1:30 and 1:02:03.5, as the status line writes them.
func parseClock(s string) (time.Duration, bool) {
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	var seconds float64
	for i, part := range parts {
		v, err := strconv.ParseFloat(part, 64)
		if err != nil || v < 0 || v > 1e6 || i > 0 && v >= 60 {
			return 0, false
		}
		seconds = seconds*60 + v
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// returns puts a carriage return before each newline, for a terminal in raw mode.
type returns struct{ w io.Writer }

func (r *returns) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		text, newline := bytes.CutSuffix(line, []byte("\n"))
		_, err := r.w.Write(text)
		if newline && err == nil {
			_, err = io.WriteString(r.w, "\r\n")
		}
		if err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
