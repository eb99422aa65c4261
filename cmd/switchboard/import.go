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
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// ImportCmd makes recordings of files that other programs wrote.
type ImportCmd struct {
	serverFlags
	Format   string   `short:"f" enum:"auto,asciicast,ttyrec" default:"auto" help:"${enum}."`
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
		sum, err := c.one(ctx, std, server, name)
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil {
			failed++
			std.note("%s: %s", printable(name), printable(oneLine(err)))
			continue
		}
		pinned := ""
		if sum.Pinned {
			pinned = ", pinned: retention would remove what ended so long ago"
		}
		if _, err := fmt.Fprintf(std.out, "%s imported from %s%s\n", sum.ID, printable(name), pinned); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d files were not imported", failed, len(c.Files))
	}
	return nil
}

func (c *ImportCmd) one(ctx context.Context, std *stdio, server *client, name string) (sum session.Summary, err error) {
	query := url.Values{}
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
			return sum, err
		}
		defer f.Close()
		about, err := f.Stat()
		if err != nil {
			return sum, err
		}
		if !about.Mode().IsRegular() {
			return sum, fmt.Errorf("it is no file: give a recording, or - for the standard input")
		}
		in, size = f, about.Size()
		query.Set("file", filepath.Base(name))
		query.Set("ended", about.ModTime().UTC().Format(time.RFC3339Nano))
	}
	body, err := server.upload(ctx, "/api/v1/recordings", query, in, size)
	if err != nil {
		return sum, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&sum); err != nil {
		return sum, fmt.Errorf("%s is not a Switchboard server, or the connection to it broke: %w", server.base, err)
	}
	return sum, nil
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
