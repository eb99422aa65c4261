package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/switchboard-relay/switchboard/session"
)

// SayCmd says something to a room: bytes, or an event.
type SayCmd struct {
	serverFlags
	Hex    bool     `xor:"form" help:"TEXT is hex digits; spaces, colons and 0x between them do not matter."`
	Escape bool     `short:"e" xor:"form" help:"TEXT has escapes: \\n \\r \\t \\0 \\xFF \\u4E2D \\\\."`
	Event  *string  `xor:"form" placeholder:"NAME" help:"Say this event; each TEXT is an argument of it, in JSON."`
	Room   string   `arg:"" help:"The room's name."`
	Text   []string `arg:"" optional:"" help:"What to say, exactly: no newline is added. - says the standard input's lines."`
}

// Run says it.
func (c *SayCmd) Run(ctx context.Context, std *stdio) error {
	path, err := roomPath(c.Room)
	if err != nil {
		return err
	}
	path += "/say"
	if c.Event != nil {
		return c.sayEvent(ctx, std, path)
	}
	if len(c.Text) != 1 {
		return badUsage("say what? one TEXT is needed, in quotes if it has spaces; several are for --event")
	}
	if c.Text[0] == "-" && !c.Hex && !c.Escape {
		return c.sayLines(ctx, std, path)
	}
	input := io.Reader(strings.NewReader(c.Text[0]))
	if c.Text[0] == "-" {
		input = std.in
	}
	data, err := decodeText(input, c.Hex, c.Escape)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return badUsage("there is nothing to say")
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	if err := server.post(ctx, path, kindBytes, data, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%d bytes said to %s\n", len(data), printable(c.Room))
	return err
}

// sayLines says each line of the standard input as it comes.
func (c *SayCmd) sayLines(ctx context.Context, std *stdio, path string) error {
	server, err := c.find()
	if err != nil {
		return err
	}
	lines, said := readLines(ctx, std.in, "as-typed"), 0
	for {
		var line outgoing
		select {
		case line = <-lines:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		switch {
		case errors.Is(line.err, io.EOF) && said == 0:
			return badUsage("there is nothing to say")
		case errors.Is(line.err, io.EOF):
			_, err := fmt.Fprintf(std.out, "%d bytes said to %s\n", said, printable(c.Room))
			return err
		case line.err != nil:
			return fmt.Errorf("read what to say: %w", line.err)
		}
		err := server.post(ctx, path, kindBytes, line.data, nil)
		if err != nil && said > 0 {
			return fmt.Errorf("only %d bytes were said to %s: %w", said, printable(c.Room), err)
		}
		if err != nil {
			return err
		}
		said += len(line.data)
	}
}

func (c *SayCmd) sayEvent(ctx context.Context, std *stdio, path string) error {
	if err := session.CheckEventName(*c.Event); err != nil {
		return badUsage("--%w", err)
	}
	for i, text := range c.Text {
		if !json.Valid([]byte(text)) {
			return badUsage("--event: argument %d is no JSON: %.60s: write a text in two pairs of quotes, as in '\"hello\"'",
				i+1, printable(text))
		}
	}
	name, err := json.Marshal(*c.Event)
	if err != nil {
		return err
	}
	body := fmt.Appendf(nil, `{"event":%s,"args":[%s]}`, name, strings.Join(c.Text, ","))
	server, err := c.find()
	if err != nil {
		return err
	}
	if err := server.post(ctx, path, kindJSON, body, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "event %s said to %s\n", printable(*c.Event), printable(c.Room))
	return err
}
