package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// ImportCmd makes recordings of files that other programs wrote.
type ImportCmd struct {
	serverFlags
	Format   string   `short:"f" enum:"auto,asciicast,ttyrec,pcap,pcapng" default:"auto" help:"${enum}."`
	Port     uint16   `placeholder:"N" help:"Of a capture, only the conversations with this port at either end."`
	Listener string   `placeholder:"NAME" help:"The listener under which they are listed; import unless told."`
	Files    []string `arg:"" name:"file" help:"A file, or - for the standard input."`
}

// Run imports one file after the other, and prints the ids. One that cannot be imported does not keep the others from it.
func (c *ImportCmd) Run(ctx context.Context, std *stdio) error {
	server, err := c.find()
	if err != nil {
		return err
	}
	failed := 0
	for _, name := range c.Files {
		made, err := c.one(ctx, std, server, name)
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil {
			failed++
			std.note("%s: %s", printable(name), printable(oneLine(err)))
			continue
		}
		if err := made.tell(std, name); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d files were not imported", failed, len(c.Files))
	}
	return nil
}

// imported is what became of a file: a session, or of a capture all that were in it.
type imported struct {
	session.Summary
	Sessions []session.Summary `json:"sessions"`
	Packets  uint64            `json:"packets"`
	Ignored  uint64            `json:"ignored"`
}

func (m *imported) tell(std *stdio, name string) error {
	made := m.Sessions
	if made == nil {
		made = []session.Summary{m.Summary}
	}
	for _, sum := range made {
		about := ""
		if m.Sessions != nil {
			about = fmt.Sprintf(": %s, %s to %s", sum.Transport, sum.Remote, sum.Local)
		}
		if sum.Pinned {
			about += ", pinned: retention would remove what ended so long ago"
		}
		if _, err := fmt.Fprintf(std.out, "%s imported from %s%s\n", sum.ID, printable(name), about); err != nil {
			return err
		}
	}
	if m.Ignored > 0 {
		std.note("%s: %d of its %d packets are of no conversation that was taken", printable(name), m.Ignored, m.Packets)
	}
	return nil
}

func (c *ImportCmd) one(ctx context.Context, std *stdio, server *client, name string) (made imported, err error) {
	query := url.Values{}
	if c.Port != 0 {
		query.Set("port", strconv.Itoa(int(c.Port)))
	}
	if c.Format != "auto" {
		query.Set("format", c.Format)
	}
	if c.Listener != "" {
		query.Set("listener", c.Listener)
	}
	in, size := std.in, int64(-1)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return made, err
		}
		defer f.Close()
		about, err := f.Stat()
		if err != nil {
			return made, err
		}
		if !about.Mode().IsRegular() {
			return made, fmt.Errorf("it is no file: give a recording, or - for the standard input")
		}
		in, size = f, about.Size()
		query.Set("file", filepath.Base(name))
		query.Set("ended", about.ModTime().UTC().Format(time.RFC3339Nano))
	}
	body, err := server.upload(ctx, "/api/v1/recordings", query, in, size)
	if err != nil {
		return made, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&made); err != nil {
		return made, fmt.Errorf("%s is not a Switchboard server, or the connection to it broke: %w", server.base, err)
	}
	return made, nil
}

// upload sends a body of any length, of a size that is not known if it is negative. The caller closes the answer.
func (c *client) upload(ctx context.Context, path string, query url.Values, in io.Reader, size int64) (io.ReadCloser,
	error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path+"?"+query.Encode(), io.NopCloser(in))
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	if size == 0 {
		req.Body = http.NoBody
	}
	req.Header.Set("Content-Type", kindBytes)
	req.Header.Set("Expect", "100-continue") // what the server does not want is not sent
	return c.do(req)
}
