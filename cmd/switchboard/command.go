package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/session"
)

// CommandCmd tells a device something, now or when it is there.
type CommandCmd struct {
	serverFlags
	Hex     bool   `xor:"form" help:"DATA is hex digits; spaces, colons and 0x between them do not matter."`
	Base64  bool   `name:"base64" xor:"form" help:"DATA is base64."`
	Escape  bool   `short:"e" xor:"form" help:"DATA has escapes: \\n \\r \\t \\0 \\xFF \\u4E2D \\\\."`
	Fleet   string `placeholder:"NAME" help:"The device's fleet, where several have the name."`
	TTL     string `name:"ttl" placeholder:"TIME" help:"How long it may wait to be written, as in 30s (the listener's, 1h)."`
	When    string `enum:"now,uplink" default:"now" help:"now, or uplink: right behind the device's next message."`
	Ack     string `placeholder:"WAY" help:"How the device acknowledges it: none, any, echo, sequence, or pattern:REGEXP (the listener's, none)."`
	Timeout string `placeholder:"TIME" help:"How long its answer may take (30s)."`
	ID      string `name:"id" placeholder:"ID" help:"An id of your own: the same id again is the same command, not another."`
	Wait    bool   `help:"Wait until it is over; the exit code says whether it went well."`
	Cancel  string `placeholder:"ID" xor:"act" help:"Take a command back that is not written yet."`
	Resend  string `placeholder:"ID" xor:"act" help:"Send a command again that is over, as another one."`
	Name    string `arg:"" optional:"" help:"The device's name."`
	Text    string `arg:"" optional:"" name:"data" help:"What to tell it, exactly: no newline is added. - reads it from the standard input."`
}

const commandsPath = "/api/v1/commands"

// Run asks, and with --wait says how it went.
func (c *CommandCmd) Run(ctx context.Context, std *stdio) error {
	body, err := c.request(std)
	if err != nil {
		return err
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	var told device.Command
	switch {
	case c.Cancel != "":
		err = server.call(ctx, http.MethodPost, c.path(c.Cancel)+"/cancel", c.query(), nil, &told)
	case c.Resend != "":
		err = server.call(ctx, http.MethodPost, c.path(c.Resend)+"/resend", c.query(), nil, &told)
	default:
		err = server.call(ctx, http.MethodPost, commandsPath, nil, body, &told)
	}
	if err != nil {
		return err
	}
	if c.Wait && c.Cancel == "" {
		return c.await(ctx, std, server, told)
	}
	_, err = fmt.Fprintf(std.out, "%s %s\n", printable(told.ID), told.State)
	return err
}

func (c *CommandCmd) path(id string) string { return commandsPath + "/" + url.PathEscape(id) }

// query says of which device a command is.
func (c *CommandCmd) query() url.Values {
	q := url.Values{}
	if c.Fleet != "" {
		q.Set("fleet", c.Fleet)
	}
	if c.Name != "" {
		q.Set("name", c.Name)
	}
	return q
}

// request is the command as REST takes it; nil for --cancel and --resend.
func (c *CommandCmd) request(std *stdio) ([]byte, error) {
	if c.Cancel != "" || c.Resend != "" {
		if c.Text != "" {
			return nil, badUsage("--cancel and --resend take no DATA: the command is known by its id")
		}
		return nil, nil
	}
	if c.Name == "" {
		return nil, badUsage("tell whom? a device's NAME and DATA are needed")
	}
	input := io.Reader(strings.NewReader(c.Text))
	if c.Text == "-" {
		input = std.in
	}
	data, err := decodeText(input, c.Hex, c.Escape)
	if err == nil && c.Base64 {
		if data, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(data))); err != nil {
			return nil, badUsage("--base64: %w", err)
		}
	}
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, badUsage("there is nothing to tell: DATA is empty")
	}
	req := device.CommandRequest{Fleet: c.Fleet, Name: c.Name, Data: session.JSON(data), Encoding: device.Base64, ID: c.ID, TTL: c.TTL, When: c.When}
	if c.Ack != "" || c.Timeout != "" {
		by, pattern, _ := strings.Cut(c.Ack, ":")
		if c.Ack == "" {
			return nil, badUsage("--timeout is that of the answer: say which with --ack")
		}
		req.Ack = &device.AckRule{By: by, Pattern: pattern, Timeout: c.Timeout}
	}
	return json.Marshal(req)
}

// await waits until a command is over, and says how it went.
func (c *CommandCmd) await(ctx context.Context, std *stdio, server *client, told device.Command) error {
	q := url.Values{"wait": {"20s"}, "fleet": {told.Fleet}, "name": {told.Name}}
	for !told.State.Over() {
		if err := server.call(ctx, http.MethodGet, c.path(told.ID), q, nil, &told); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(std.out, "%s %s\n", printable(told.ID), describeOutcome(told)); err != nil {
		return err
	}
	if told.State != device.Done && told.State != device.Acknowledged {
		return &exitError{code: exitFailed}
	}
	return nil
}

// describeOutcome is how a command is, with why, or with the answer.
func describeOutcome(c device.Command) string {
	text := string(c.State)
	if more := cmp.Or(c.Error, string(c.Answer)); more != "" {
		text += ": " + printable(more)
	}
	return text
}
