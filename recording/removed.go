package recording

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/switchboard-relay/switchboard/session"
)

// removedPath lists, one a line, the sessions whose recordings were removed while the journal may hold their records.
func (s *Store) removedPath() string { return filepath.Join(s.journalDir(), "removed") }

// noteRemoved puts a session on that list, on disk, unless it ended before the journal's oldest segment began.
func (s *Store) noteRemoved(id session.ID, path string) error {
	r, err := openSealed(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	ended := int64(1 << 62) // of a file that cannot be read nothing is known
	if err == nil {
		if n := len(r.entries); n > 0 {
			ended = r.entries[n-1].ref.t1()
		}
		r.Close()
	}
	s.smu.Lock()
	held := len(s.segments) > 0 && s.segments[0].made <= ended
	s.smu.Unlock()
	if !held {
		return nil
	}
	f, err := os.OpenFile(s.removedPath(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(string(id) + "\n"); err != nil {
		return err
	}
	return datasync(f)
}

// forgetRemoved takes removed sessions out of what the journal holds, and ends the list when none of it is held.
func (s *Store) forgetRemoved(logs map[session.ID]*Log) {
	b, err := os.ReadFile(s.removedPath())
	if err != nil {
		return
	}
	held := false
	for line := range strings.Lines(string(b)) {
		id := session.ID(strings.TrimSpace(line))
		l := logs[id]
		if l == nil {
			continue
		}
		held = true
		delete(logs, id)
		start := l.durable[0].t0
		l.forget()
		unlinkBeside(s.sealedPath(id, start)) // where the crash came between the note and the deed
		os.Remove(s.sealedPath(id, start))
	}
	if !held {
		os.Remove(s.removedPath())
	}
}
