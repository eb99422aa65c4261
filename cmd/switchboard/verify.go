package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/switchboard-relay/switchboard/recording"
)

// VerifyCmd checks the recordings of a data folder. It needs no server and disturbs none.
type VerifyCmd struct {
	Data   string `type:"path" placeholder:"DIR" xor:"folder" help:"The data folder ($SWITCHBOARD_DATA)."`
	Folder string `arg:"" optional:"" type:"path" name:"dir" xor:"folder" help:"The same."`
}

// Run prints each damaged place, and fails if there is any.
func (c *VerifyCmd) Run(ctx context.Context, std *stdio) error {
	dir := dataFolder(cmp.Or(c.Data, c.Folder))
	if _, err := os.Stat(filepath.Join(dir, "recordings")); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there are no recordings in %s: name a data folder with --data DIR", dir)
	}
	stats, err := verify(ctx, std, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%s were checked: files %d, chunks %d\n", formatBytes(uint64(stats.Bytes)), stats.Files, stats.Chunks)
	if stats.Damaged > 0 {
		return fmt.Errorf("damaged places: %d; what is listed above is lost, all else plays", stats.Damaged)
	}
	return nil
}

// verify checks while it tells, on a terminal, that it still does.
func verify(ctx context.Context, std *stdio, dir string) (recording.VerifyStats, error) {
	type result struct {
		stats recording.VerifyStats
		err   error
	}
	damages, results := make(chan recording.Damage), make(chan result, 1)
	go func() { // ends with Verify, or with the program
		stats, err := recording.Verify(dir, func(d recording.Damage) { pass(ctx, damages, d) })
		results <- result{stats, err}
	}()
	waiting := newWaiting(std, "checking "+formatBytes(recordedSize(dir)))
	defer waiting.done()
	for {
		select {
		case d := <-damages:
			waiting.done()
			fmt.Fprintln(std.out, d)
		case r := <-results:
			if r.err != nil {
				return r.stats, fmt.Errorf("verify: %w", r.err)
			}
			return r.stats, nil
		case <-waiting.ticks():
			waiting.say()
		case <-ctx.Done():
			return recording.VerifyStats{}, ctx.Err()
		}
	}
}

// recordedSize is how many bytes there are to check, as far as that can be told.
func recordedSize(dir string) (size uint64) {
	for _, sub := range []string{"journal", "recordings"} {
		filepath.WalkDir(filepath.Join(dir, sub), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // retention and sealing go on meanwhile
			}
			if info, err := d.Info(); err == nil {
				size += uint64(info.Size())
			}
			return nil
		})
	}
	return size
}

// waiting tells on a terminal how long work has been going on that cannot say how far it is.
type waiting struct {
	w      io.Writer // nil where there is no terminal
	what   string
	began  time.Time
	ticker *time.Ticker
	shown  bool
}

func newWaiting(std *stdio, what string) *waiting {
	w := &waiting{what: what, began: time.Now()}
	if f := asTerminal(std.err); f != nil {
		w.w, w.ticker = f, time.NewTicker(time.Second)
	}
	return w
}

// ticks says when to say something; never without a terminal.
func (w *waiting) ticks() <-chan time.Time {
	if w.ticker == nil {
		return nil
	}
	return w.ticker.C
}

func (w *waiting) say() {
	fmt.Fprintf(w.w, "\r\x1b[K%s, %s", w.what, formatAge(time.Since(w.began)))
	w.shown = true
}

// done takes away what was said.
func (w *waiting) done() {
	if w.shown {
		io.WriteString(w.w, "\r\x1b[K")
		w.shown = false
	}
}
