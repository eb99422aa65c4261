package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/switchboard-relay/switchboard/session"
)

// ExportCmd writes a session to a file or to the standard output.
type ExportCmd struct {
	serverFlags
	Format    string `short:"f" enum:"raw,text,jsonl,hex,pcapng,asciicast,asciicast2,ttyrec,script,svg" default:"raw" help:"${enum}."`
	Direction string `enum:"received,sent,both" default:"both" help:"Which way the bytes went: received, sent or both."`
	Input     bool   `help:"With asciicast, asciicast2 and script: what was typed as well."`
	Output    string `short:"o" type:"path" placeholder:"FILE" help:"The file to write, whole or not at all."`
	ID        string `arg:"" help:"The session's id, or the first characters of it."`
}

// Run exports.
func (c *ExportCmd) Run(ctx context.Context, std *stdio) error {
	query := url.Values{"format": {c.Format}}
	if c.Direction != "both" {
		query.Set("direction", c.Direction)
	}
	if c.Input {
		query.Set("input", "true")
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	sum, err := server.session(ctx, c.ID)
	if err != nil {
		return err
	}
	body, err := server.open(ctx, http.MethodGet, sessionPath(string(sum.ID))+"/export", query, "", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	if c.Output == "" || c.Output == "-" {
		return c.copy(std.out, body, quietProgress())
	}
	progress := newProgress(std, c.size(sum))
	defer progress.done()
	return writeWhole(c.Output, func(w io.Writer) error { return c.copy(w, body, progress) })
}

// size is how many bytes the export will have, where that is known before; else 0.
func (c *ExportCmd) size(sum session.Summary) uint64 {
	switch {
	case c.Format != "raw" || sum.State == session.Live:
		return 0
	case c.Direction == "received":
		return sum.ReceivedBytes
	case c.Direction == "sent":
		return sum.SentBytes
	}
	return sum.ReceivedBytes + sum.SentBytes
}

func (c *ExportCmd) copy(w io.Writer, body io.Reader, p *progress) error {
	if _, err := io.Copy(w, io.TeeReader(body, p)); err != nil {
		return fmt.Errorf("export is not complete: %w", err)
	}
	return nil
}

// writeWhole writes a file under another name first, so that the file is never there in part.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	name := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.part", filepath.Base(path), os.Getpid()))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Unwrap(err))
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(name)
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(name, path)
}
