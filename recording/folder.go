package recording

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// hourLayout is the folder of sessions that began in one hour, UTC.
const hourLayout = "2006/01/02/15"

// Hours are the hours of which there are folders of sealed recordings, in order.
func (s *Store) Hours() ([]time.Time, error) {
	paths, err := filepath.Glob(filepath.Join(s.sealedDir(), "[0-9]*", "[0-9]*", "[0-9]*", "[0-9]*"))
	if err != nil {
		return nil, err
	}
	hours := make([]time.Time, 0, len(paths))
	for _, path := range paths {
		name, err := filepath.Rel(s.sealedDir(), path)
		if err != nil {
			return nil, err
		}
		if hour, err := time.Parse(hourLayout, filepath.ToSlash(name)); err == nil {
			hours = append(hours, hour)
		}
	}
	return hours, nil
}

const hourBatch = 1000 // names read at once

// Hour calls f with the sealed recordings of one hour's folder and with its pins, in no order and a few at a time.
func (s *Store) Hour(hour time.Time, f func(recordings, pins []session.ID) error) error {
	d, err := os.Open(filepath.Join(s.sealedDir(), hour.UTC().Format(hourLayout)))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(hourBatch)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var recordings, pins []session.ID
		for _, name := range names {
			ext := filepath.Ext(name)
			id, err := session.ParseID(strings.TrimSuffix(name, ext))
			switch {
			case err != nil:
			case ext == ".sbr":
				recordings = append(recordings, id)
			case ext == ".pin":
				pins = append(pins, id)
			}
		}
		if err := f(recordings, pins); err != nil {
			return err
		}
	}
}

// Summary is a sealed recording as lists show it, read from the end of its file; start (Unix µs) says where that lies.
func (s *Store) Summary(id session.ID, start int64) (session.Summary, error) {
	path := s.sealedPath(id, start)
	r, err := openSealed(path)
	if errors.Is(err, os.ErrNotExist) {
		return session.Summary{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err != nil {
		return session.Summary{}, err
	}
	defer r.Close()
	sum := r.Summary()
	if s.sealedPath(sum.ID, sum.Start) != path {
		return sum, fmt.Errorf("%s: it is the recording of %s, which began %s, and lies in the wrong place", path, sum.ID,
			session.FormatTime(sum.Start))
	}
	sum.Pinned = exists(pinOf(path))
	sum.Size += s.ScreensSize(id, start)
	return sum, nil
}

// Walk calls f with the summary of every sealed recording that can be read.
func (s *Store) Walk(f func(session.Summary) error) error {
	hours, err := s.Hours()
	if err != nil {
		return err
	}
	for _, hour := range hours {
		err := s.Hour(hour, func(recordings, _ []session.ID) error {
			for _, id := range recordings {
				sum, err := s.Summary(id, hour.UnixMicro())
				if err != nil {
					s.opt.Logger.Warn("a recording cannot be read", "session", id, "error", err)
					continue
				}
				if err := f(sum); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
