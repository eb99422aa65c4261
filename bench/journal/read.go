//go:build linux

package main

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

const (
	hourChunks = 18_000 // an hour of chunks that close by age, every 200 ms
	hourBytes  = 50 << 20
	shorts     = 500
	looks      = 200
)

type found struct {
	id    session.ID
	start int64
}

// reading takes how soon a recording shows its first event, and how soon a point in the middle of a long one.
func reading(r *benchkit.Run) error {
	r.Progress("reading")
	dir := filepath.Join(r.Dir, "reading")
	var long found
	var short []found
	err := inFolder(r, "reading", func(store *recording.Store) error {
		log, info, err := begin(store, session.RecordOn)
		if err != nil {
			return err
		}
		data := benchkit.Random(hourBytes / hourChunks)
		for range hourChunks {
			if _, err := log.Append(session.Received, data); err != nil {
				return err
			}
			log.Flush()
		}
		log.End(done())
		long = found{info.ID, info.Start}
		for range shorts {
			log, info, err := begin(store, session.RecordOn)
			if err != nil {
				return err
			}
			if _, err := log.Append(session.Received, data[:100]); err != nil {
				return err
			}
			log.End(done())
			short = append(short, found{info.ID, info.Start})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return inFolder(r, "reading", func(store *recording.Store) error {
		var first, seek benchkit.Series
		for i := range looks {
			one := short[rand.IntN(len(short))]
			if i%4 == 0 {
				one = long
			}
			took, err := look(store, dir, one, 0)
			if err != nil {
				return err
			}
			first = append(first, took.Seconds())
			if took, err = look(store, dir, long, rand.Float64()); err != nil {
				return err
			}
			seek = append(seek, took.Seconds())
		}
		slowest := func(name string, s benchkit.Series, limit float64) {
			r.Add(benchkit.Row{Name: name, Ours: benchkit.One(s.Max()), Unit: benchkit.Millis, Target: benchkit.AtMost(limit, benchkit.Millis)})
		}
		slowest("first event of any recording, slowest of 200", first, 0.010)
		slowest("seek to any time of 1 h / 50 MB, slowest of 200", seek, 0.050)
		r.Note("Reading opens the recording anew each time, its file dropped from the page cache: medians %.1f and %.1f ms. The hour is "+
			"%d chunks of 2.9 KB, as many as close by age in an hour, written in a row.", first.Median()*1e3, seek.Median()*1e3, hourChunks)
		return nil
	})
}

// look opens a recording and reads the event at a share of its time; 0 is the first.
func look(store *recording.Store, dir string, one found, share float64) (time.Duration, error) {
	if err := dropCache(dir, one.id); err != nil {
		return 0, err
	}
	start := time.Now()
	rec, err := store.Recording(one.id, one.start)
	if err != nil {
		return 0, err
	}
	defer rec.Close()
	from := uint64(1)
	if share > 0 {
		sum := rec.Summary()
		if from, err = rec.NumberAt(sum.Start + int64(share*float64(sum.End-sum.Start))); err != nil {
			return 0, err
		}
	}
	cursor := rec.Cursor(from)
	defer cursor.Close()
	events, err := cursor.TryNext()
	if err != nil {
		return 0, err
	}
	if len(events) == 0 || events[0].Number != from {
		return 0, fmt.Errorf("%s: event %d is not the first of %d read", one.id, from, len(events))
	}
	return time.Since(start), nil
}

// dropCache has the system forget what it knows of a recording's file.
func dropCache(dir string, id session.ID) error {
	return filepath.WalkDir(filepath.Join(dir, "recordings"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != string(id)+".sbr" {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := f.Sync(); err != nil {
			return err
		}
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
}
