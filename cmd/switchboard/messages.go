package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/session"
)

// MessagesCmd shows what a device said, message by message.
type MessagesCmd struct {
	serverFlags
	Fleet  string `placeholder:"NAME" help:"The device's fleet, where several have the name."`
	Frame  string `placeholder:"NAME" help:"Cut by this preset or framer, whatever the record says."`
	Limit  int    `short:"n" default:"100" help:"The newest so many."`
	Follow bool   `short:"f" help:"And those that come, until the session ends."`
	Hex    bool   `xor:"form" help:"Messages as hex dumps."`
	JSON   bool   `name:"json" xor:"form" help:"An object on each line."`
	Of     string `arg:"" name:"session|name" help:"A session's id, or the first characters of it, or a device's name."`
}

// messageList is an answer with messages.
type messageList struct {
	Messages []device.Message `json:"messages"`
	Next     string           `json:"next"`
}

func (c *client) messages(ctx context.Context, id string, q url.Values) (list messageList, err error) {
	err = c.call(ctx, http.MethodGet, sessionPath(id)+"/messages", q, nil, &list)
	return list, err
}

// followEvery is how often it is asked for more messages.
const followEvery = 500 * time.Millisecond

// Run prints messages.
func (c *MessagesCmd) Run(ctx context.Context, std *stdio) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return badUsage("--limit %d: must be from 1 to 1000", c.Limit)
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	id, err := c.session(ctx, server)
	if err != nil {
		return err
	}
	q := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	if c.Frame != "" {
		q.Set("frame", c.Frame)
	}
	for {
		ended := false
		if c.Follow { // asked for before the messages, so that none is missed that came before the end
			sum, err := server.session(ctx, string(id))
			if err != nil {
				return err
			}
			ended = sum.State != session.Live
		}
		list, err := server.messages(ctx, string(id), q)
		if err != nil {
			return err
		}
		if err := c.write(std.out, list.Messages); err != nil {
			return err
		}
		q.Set("after", list.Next)
		switch full := q.Has("after") && len(list.Messages) == c.Limit; {
		case !c.Follow, ended && !full:
			return nil
		case full:
			continue
		}
		select {
		case <-time.After(followEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// session is the one that the argument names: by its id, or as the newest of a device.
func (c *MessagesCmd) session(ctx context.Context, server *client) (session.ID, error) {
	if c.Fleet == "" {
		sum, err := server.session(ctx, c.Of)
		var refused *apiError
		if err == nil || !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
			return sum.ID, err
		}
	}
	st, err := server.device(ctx, c.Fleet, c.Of)
	if err != nil {
		return "", fmt.Errorf("no session begins with %q, and %w", c.Of, err)
	}
	if st.Session == "" {
		return "", fmt.Errorf("%s was never connected", st.Name)
	}
	return st.Session, nil
}

func (c *MessagesCmd) write(w io.Writer, list []device.Message) error {
	if !c.JSON {
		return writeMessages(w, list, c.Hex)
	}
	out := bufio.NewWriter(w)
	for i := range list {
		line, err := json.Marshal(&list[i])
		if err != nil {
			return err
		}
		out.Write(append(line, '\n'))
	}
	return out.Flush()
}

// writeMessages writes a line for each message: its time, what it is for, its bytes as text with escapes; or, as hex, its length, and
// the bytes below.
func writeMessages(w io.Writer, list []device.Message, asHex bool) error {
	out := bufio.NewWriter(w)
	for i := range list {
		m := &list[i]
		out.Write(time.UnixMicro(m.At).AppendFormat(nil, "2006-01-02 15:04:05.000"))
		fmt.Fprintf(out, "  %-12s", m.Kind)
		if m.Name != "" {
			fmt.Fprintf(out, "  is %s", printable(m.Name))
		}
		if len(m.Flags) > 0 {
			fmt.Fprintf(out, "  [%s]", strings.Join(m.Flags, ", "))
		}
		if asHex {
			fmt.Fprintf(out, "  %d bytes\n", m.Length)
			out.WriteString(hex.Dump(m.Data))
		} else {
			text := strconv.Quote(string(m.Data))
			fmt.Fprintf(out, "  %s\n", text[1:len(text)-1])
		}
		if n := m.Length - len(m.Data); n > 0 {
			fmt.Fprintf(out, "  … and %d bytes more\n", n)
		}
	}
	return out.Flush()
}
