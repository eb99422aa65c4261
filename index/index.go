package index

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/switchboard-relay/switchboard/session"
)

// schemaVersion is raised whenever the tables change; an index of another version is made anew.
const schemaVersion = 1

const schema = `
CREATE TABLE session (
  id TEXT PRIMARY KEY, listener TEXT NOT NULL, service TEXT NOT NULL, transport TEXT NOT NULL, local TEXT NOT NULL,
  remote TEXT NOT NULL, name TEXT NOT NULL, folded_name TEXT NOT NULL, start INTEGER NOT NULL, record TEXT NOT NULL,
  end INTEGER NOT NULL, cause TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
  received_bytes INTEGER NOT NULL, received_events INTEGER NOT NULL, sent_bytes INTEGER NOT NULL, sent_events INTEGER NOT NULL,
  events INTEGER NOT NULL, size INTEGER NOT NULL, pinned INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_start ON session (start DESC);
CREATE INDEX session_listener ON session (listener, start DESC);
CREATE INDEX session_end ON session (pinned, end);
CREATE TABLE total (one INTEGER PRIMARY KEY CHECK (one = 1), sessions INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO total VALUES (1, 0, 0);
CREATE TRIGGER session_insert AFTER INSERT ON session BEGIN
  UPDATE total SET sessions = sessions + 1, bytes = bytes + NEW.size; END;
CREATE TRIGGER session_delete AFTER DELETE ON session BEGIN
  UPDATE total SET sessions = sessions - 1, bytes = bytes - OLD.size; END;
CREATE TRIGGER session_update AFTER UPDATE OF size ON session BEGIN
  UPDATE total SET bytes = bytes + NEW.size - OLD.size; END;
`

// Index is the card file of one data folder. It is safe for concurrent use.
type Index struct {
	write *sql.DB // one connection
	read  *sql.DB
	fresh bool
}

// Open opens the index, or makes it. One that is damaged or of another version is moved aside and made anew: Fresh then
// reports true, and the caller fills it again from the recordings.
func Open(path string) (*Index, error) {
	x, err := open(path)
	if err == nil {
		return x, nil
	}
	if moveErr := moveAside(path); moveErr != nil {
		return nil, fmt.Errorf("index %s: %w (and it cannot be moved aside: %w)", path, err, moveErr)
	}
	if x, err = open(path); err != nil {
		return nil, fmt.Errorf("index %s: %w", path, err)
	}
	return x, nil
}

func moveAside(path string) error {
	aside := path + ".damaged"
	if err := os.Rename(path, aside); err != nil {
		return err
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func open(path string) (*Index, error) {
	dsn := "file:" + url.PathEscape(path) + "?_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=busy_timeout(10000)" +
		"&_pragma=cache_size(-1024)&_pragma=foreign_keys(0)"
	x := &Index{}
	var err error
	if x.write, err = sql.Open("sqlite", dsn+"&_txlock=immediate"); err != nil {
		return nil, err
	}
	x.write.SetMaxOpenConns(1)
	if x.read, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err != nil {
		return nil, err
	}
	x.read.SetMaxOpenConns(2)
	x.read.SetConnMaxIdleTime(time.Minute)
	if err := x.prepare(); err != nil {
		x.Close()
		return nil, err
	}
	return x, nil
}

// prepare makes the tables of an empty file, and refuses any that are not ours.
func (x *Index) prepare() error {
	var version int
	if err := x.write.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version == schemaVersion {
		_, err := x.write.Exec("SELECT sessions FROM total")
		return err
	}
	if version != 0 {
		return fmt.Errorf("it is of version %d, this program writes %d", version, schemaVersion)
	}
	x.fresh = true
	_, err := x.write.Exec(fmt.Sprintf("BEGIN; %s PRAGMA user_version = %d; COMMIT", schema, schemaVersion))
	return err
}

// Fresh reports whether the index was made by Open and holds nothing of recordings that there may be.
func (x *Index) Fresh() bool { return x.fresh }

// Close closes the file.
func (x *Index) Close() error {
	if x == nil {
		return nil
	}
	var errs []error
	for _, db := range []*sql.DB{x.read, x.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

const columns = `id, listener, service, transport, local, remote, name, start, record, end, cause, by, reason, detail,
  received_bytes, received_events, sent_bytes, sent_events, events, size, pinned`

const upsert = `INSERT INTO session (` + columns + `, folded_name) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (id) DO UPDATE SET listener = excluded.listener, service = excluded.service, transport = excluded.transport,
  local = excluded.local, remote = excluded.remote, name = excluded.name, folded_name = excluded.folded_name,
  start = excluded.start, record = excluded.record, end = excluded.end, cause = excluded.cause, by = excluded.by,
  reason = excluded.reason, detail = excluded.detail, received_bytes = excluded.received_bytes,
  received_events = excluded.received_events, sent_bytes = excluded.sent_bytes, sent_events = excluded.sent_events,
  events = excluded.events, size = excluded.size, pinned = max(pinned, excluded.pinned)`

// Add adds sessions, or brings them up to date, all or none. A pin stays.
func (x *Index) Add(ctx context.Context, sums []session.Summary) error {
	tx, err := x.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	st, err := tx.PrepareContext(ctx, upsert)
	if err != nil {
		return err
	}
	defer st.Close()
	for i := range sums {
		s := &sums[i]
		if _, err := st.ExecContext(ctx, s.ID, s.Listener, s.Service, s.Transport, s.Local, s.Remote, s.Name, s.Start, s.Record, s.End,
			s.Cause, s.By, s.Reason, s.Detail, int64(s.ReceivedBytes), int64(s.ReceivedEvents), int64(s.SentBytes),
			int64(s.SentEvents), int64(s.Events), s.Size, s.Pinned, strings.ToLower(s.Name)); err != nil {
			return fmt.Errorf("session %s: %w", s.ID, err)
		}
	}
	return tx.Commit()
}

// List returns the sessions that the filter chooses, the newest start first.
func (x *Index) List(ctx context.Context, f Filter) ([]session.Summary, error) {
	where, args := f.where()
	limit := -1
	if f.Limit > 0 {
		limit = f.Limit
	}
	return x.query(ctx, "SELECT "+columns+" FROM session"+where+" ORDER BY start DESC LIMIT ?", append(args, limit)...)
}

// Find returns sessions whose id begins with prefix, at most limit.
func (x *Index) Find(ctx context.Context, prefix string, limit int) ([]session.Summary, error) {
	return x.List(ctx, Filter{Prefix: prefix, Rooms: true, Limit: limit})
}

// Oldest returns the sessions that are not pinned, those first that ended first, at most limit.
func (x *Index) Oldest(ctx context.Context, limit int) ([]session.Summary, error) {
	return x.query(ctx, "SELECT "+columns+" FROM session WHERE pinned = 0 ORDER BY end LIMIT ?", limit)
}

func (x *Index) query(ctx context.Context, q string, args ...any) ([]session.Summary, error) {
	rows, err := x.read.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []session.Summary
	for rows.Next() {
		s := session.Summary{State: session.Recorded}
		if err := rows.Scan(&s.ID, &s.Listener, &s.Service, &s.Transport, &s.Local, &s.Remote, &s.Name, &s.Start, &s.Record, &s.End,
			&s.Cause, &s.By, &s.Reason, &s.Detail, &s.ReceivedBytes, &s.ReceivedEvents, &s.SentBytes, &s.SentEvents, &s.Events,
			&s.Size, &s.Pinned); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// SetPinned pins a session, or unpins it. Nothing happens if there is none of the id.
func (x *Index) SetPinned(ctx context.Context, id session.ID, pinned bool) error {
	_, err := x.write.ExecContext(ctx, "UPDATE session SET pinned = ? WHERE id = ?", pinned, id)
	return err
}

// Delete takes a session out. Nothing happens if there is none of the id.
func (x *Index) Delete(ctx context.Context, ids ...session.ID) error {
	tx, err := x.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	for _, id := range ids {
		if _, err := tx.ExecContext(ctx, "DELETE FROM session WHERE id = ?", id); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Count is how many sessions there are, and how many bytes their recordings take on disk.
func (x *Index) Count(ctx context.Context) (sessions int, bytes int64, err error) {
	err = x.read.QueryRowContext(ctx, "SELECT sessions, bytes FROM total").Scan(&sessions, &bytes)
	return sessions, bytes, err
}
