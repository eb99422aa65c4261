//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/session"
)

// checkRecord holds the sessions of one bulk run to what was sent, reads one of them back byte for byte, and removes
// them, so that the next run finds the disk as this one did.
func (b *bench) checkRecord(s *server, recorded bool, connections int, sent int64) error {
	if err := s.WaitLive("bulk", 0, 20*time.Second); err != nil {
		return err
	}
	if !recorded {
		return nil // nothing is kept of sessions that are not recorded
	}
	list, err := s.Sessions(url.Values{"listener": {"bulk"}, "state": {"recorded"}})
	if err != nil {
		return err
	}
	var received uint64
	for _, sum := range list {
		received += sum.ReceivedBytes
	}
	if len(list) != connections || received != uint64(sent) {
		return fmt.Errorf("%d bytes were sent on %d connections, %d bytes of %d sessions are on the record",
			sent, connections, received, len(list))
	}
	if err := b.readBack(s, list[0]); err != nil {
		return fmt.Errorf("session %s: %w", list[0].ID, err)
	}
	return b.remove(s, list)
}

// payload is what lines send, over and over.
var payload = sync.OnceValue(func() []byte { return benchkit.Random(4 << 20) })

// readBackLimit is how many bytes of a recording are compared with what was sent.
const readBackLimit = 64 << 20

// readBack compares the beginning of a session's recording with what was sent.
func (b *bench) readBack(s *server, sum session.Summary) error {
	path := fmt.Sprintf("/api/v1/sessions/%s/export?format=raw&direction=received", sum.ID)
	body, err := s.Open(path)
	if err != nil {
		return err
	}
	defer body.Close()
	buf := make([]byte, 64<<10)
	var read, at int
	for want := int(min(sum.ReceivedBytes, readBackLimit)); read < want; {
		n, err := io.ReadAtLeast(body, buf, min(len(buf), want-read))
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("after %d bytes of the recording: %w", read, err)
		}
		if read == 0 {
			if at = bytes.Index(payload(), buf[:min(n, 64)]); at < 0 {
				return errors.New("the recording begins with bytes that were not sent")
			}
		}
		for i := 0; i < n; {
			k := min(n-i, len(payload())-at)
			if !bytes.Equal(buf[i:i+k], payload()[at:at+k]) {
				return fmt.Errorf("the recording differs from what was sent within 64 KiB after byte %d", read)
			}
			i, at = i+k, (at+k)%len(payload())
		}
		read += n
	}
	return nil
}

// remove deletes recordings as soon as they are sealed.
func (b *bench) remove(s *server, list []session.Summary) error {
	for _, sum := range list {
		err := benchkit.Until(b.Context, 20*time.Second, "the recording is sealed and removed", func() (bool, error) {
			err := s.Delete("/api/v1/sessions/" + string(sum.ID))
			return err == nil, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// disk is how fast the disk under the data folders takes bytes that must be there for good, in bytes per second.
func (b *bench) disk() (float64, error) {
	b.Progress("the disk alone")
	f, err := os.Create(filepath.Join(b.Dir, "disk"))
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var written int
	start := time.Now()
	for time.Since(start) < 1500*time.Millisecond {
		n, err := f.Write(payload())
		if err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		written += n
	}
	return float64(written) / time.Since(start).Seconds(), nil
}
