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
const schemaVersion = 5

const schema = `
CREATE TABLE session (
  id TEXT PRIMARY KEY, listener TEXT NOT NULL, service TEXT NOT NULL, transport TEXT NOT NULL, local TEXT NOT NULL,
  remote TEXT NOT NULL, name TEXT NOT NULL, folded_name TEXT NOT NULL, start INTEGER NOT NULL, record TEXT NOT NULL,
  terminal TEXT NOT NULL, telnet INTEGER NOT NULL, end INTEGER NOT NULL, cause TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
  code INTEGER NOT NULL,
  received_bytes INTEGER NOT NULL, received_events INTEGER NOT NULL,
  sent_bytes INTEGER NOT NULL, sent_events INTEGER NOT NULL,
  events INTEGER NOT NULL, size INTEGER NOT NULL, pinned INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_start ON session (start DESC);
CREATE INDEX session_listener ON session (listener, start DESC);
CREATE INDEX session_end ON session (pinned, end);
CREATE TABLE total (one INTEGER PRIMARY KEY CHECK (one = 1), sessions INTEGER NOT NULL, bytes INTEGER NOT NULL,
  complete INTEGER NOT NULL);
INSERT INTO total VALUES (1, 0, 0, 0);
CREATE TRIGGER session_insert AFTER INSERT ON session BEGIN
  UPDATE total SET sessions = sessions + 1, bytes = bytes + NEW.size; END;
CREATE TRIGGER session_delete AFTER DELETE ON session BEGIN
  UPDATE total SET sessions = sessions - 1, bytes = bytes - OLD.size; END;
CREATE TRIGGER session_update AFTER UPDATE OF size ON session BEGIN
  UPDATE total SET bytes = bytes + NEW.size - OLD.size; END;
`

// Index is the card file of one data folder. It is safe for concurrent use.
type Index struct {
	write    *sql.DB // one connection
	read     *sql.DB
	complete bool
}

// Open opens the index, or makes it. One that is damaged or of another version is moved aside and made anew. Complete
// says whether the caller has to bring it up to date with the recordings.
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
	dsn := "file:" + url.PathEscape(path) + "?_pragma=journal_mode(wal)&_pragma=synchronous(normal)" +
		"&_pragma=busy_timeout(10000)&_pragma=cache_size(-1024)&_pragma=foreign_keys(0)"
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
		return x.begin()
	}
	if version != 0 {
		return fmt.Errorf("it is of version %d, this program writes %d", version, schemaVersion)
	}
	_, err := x.write.Exec(fmt.Sprintf("BEGIN; %s PRAGMA user_version = %d; COMMIT", schema, schemaVersion))
	return err
}

// begin reads the mark that SetComplete left and takes it away, on disk before anything else is written: a machine that
// stops may lose the newest commits.
func (x *Index) begin() error {
	if err := x.write.QueryRow("SELECT complete FROM total").Scan(&x.complete); err != nil || !x.complete {
		return err
	}
	_, err := x.write.Exec("PRAGMA synchronous = full; UPDATE total SET complete = 0; PRAGMA synchronous = normal")
	return err
}

// Complete reports whether Open found an index that had every recording when it was closed. Else it is new, or the
// process that had it open did not end as it should: it may lack recordings, and name some that are gone.
func (x *Index) Complete() bool { return x.complete }

// SetComplete says that the index has every recording. It is the last thing before Close.
func (x *Index) SetComplete(ctx context.Context) error {
	_, err := x.write.ExecContext(ctx, "UPDATE total SET complete = 1")
	return err
}

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

const columns = `id, listener, service, transport, local, remote, name, start, record, terminal, telnet, end, cause, by, reason, detail, code,
  received_bytes, received_events, sent_bytes, sent_events, events, size, pinned`

const upsert = `INSERT INTO session (` + columns + `, folded_name) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (id) DO UPDATE SET listener = excluded.listener, service = excluded.service, transport = excluded.transport,
  local = excluded.local, remote = excluded.remote, name = excluded.name, folded_name = excluded.folded_name,
  start = excluded.start, record = excluded.record, terminal = excluded.terminal, telnet = excluded.telnet, end = excluded.end, cause = excluded.cause, by = excluded.by,
  reason = excluded.reason, detail = excluded.detail, code = excluded.code, received_bytes = excluded.received_bytes,
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
		if _, err := st.ExecContext(ctx, s.ID, s.Listener, s.Service, s.Transport, s.Local, s.Remote, s.Name, s.Start,
			s.Record, s.Terminal, s.Telnet, s.End, s.Cause, s.By, s.Reason, s.Detail, s.Code, int64(s.ReceivedBytes), int64(s.ReceivedEvents),
			int64(s.SentBytes), int64(s.SentEvents), int64(s.Events), s.Size, s.Pinned,
			strings.ToLower(s.Name)); err != nil {
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
		if err := rows.Scan(&s.ID, &s.Listener, &s.Service, &s.Transport, &s.Local, &s.Remote, &s.Name, &s.Start,
			&s.Record, &s.Terminal, &s.Telnet, &s.End, &s.Cause, &s.By, &s.Reason, &s.Detail, &s.Code, &s.ReceivedBytes, &s.ReceivedEvents,
			&s.SentBytes, &s.SentEvents, &s.Events, &s.Size, &s.Pinned); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// SetPinned pins sessions, or unpins them. Nothing happens to those that there are not.
func (x *Index) SetPinned(ctx context.Context, pinned bool, ids ...session.ID) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := x.write.ExecContext(ctx, "UPDATE session SET pinned = ?1 WHERE pinned <> ?1 "+
		"AND id IN (SELECT value FROM json_each(?2))", pinned, string(session.JSON(ids)))
	return err
}

// SetSize says how much a recording takes on disk, bytes. Nothing happens if there is none.
func (x *Index) SetSize(ctx context.Context, id session.ID, size int64) error {
	_, err := x.write.ExecContext(ctx, "UPDATE session SET size = ? WHERE id = ?", size, string(id))
	return err
}

// Delete takes sessions out. Nothing happens to those that there are not.
func (x *Index) Delete(ctx context.Context, ids ...session.ID) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := x.write.ExecContext(ctx, "DELETE FROM session WHERE id IN (SELECT value FROM json_each(?))",
		string(session.JSON(ids)))
	return err
}

// Lacking are those of the ids that are not in the index.
func (x *Index) Lacking(ctx context.Context, ids []session.ID) ([]session.ID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := x.read.QueryContext(ctx, "SELECT value FROM json_each(?) WHERE NOT EXISTS "+
		"(SELECT 1 FROM session WHERE id = value)", string(session.JSON(ids)))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lacking []session.ID
	for rows.Next() {
		var id session.ID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		lacking = append(lacking, id)
	}
	return lacking, rows.Err()
}

// Card is where a session's recording lies, and whether the index takes it for pinned.
type Card struct {
	ID     session.ID
	Start  int64 // Unix µs
	Pinned bool
}

// Cards are sessions that began at a time or later (Unix µs), the newest start first: at most limit of them, behind the
// one given.
func (x *Index) Cards(ctx context.Context, from int64, behind Card, limit int) ([]Card, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT id, start, pinned FROM session WHERE start BETWEEN ?1 AND ?2 "+
		"AND (start < ?2 OR id > ?3) ORDER BY start DESC, id LIMIT ?4", from, behind.Start, behind.ID, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var cards []Card
	for rows.Next() {
		var c Card
		if err := rows.Scan(&c.ID, &c.Start, &c.Pinned); err != nil {
			return nil, err
		}
		cards = append(cards, c)
	}
	return cards, rows.Err()
}

// Began is how many sessions began at a time or later and before another (Unix µs), and how many of them are pinned.
func (x *Index) Began(ctx context.Context, from, to int64) (sessions, pinned int, err error) {
	err = x.read.QueryRowContext(ctx,
		"SELECT count(*), coalesce(sum(pinned), 0) FROM session WHERE start >= ? AND start < ?",
		from, to).Scan(&sessions, &pinned)
	return sessions, pinned, err
}

// Count is how many sessions there are, and how many bytes their recordings take on disk.
func (x *Index) Count(ctx context.Context) (sessions int, bytes int64, err error) {
	err = x.read.QueryRowContext(ctx, "SELECT sessions, bytes FROM total").Scan(&sessions, &bytes)
	return sessions, bytes, err
}
