package command

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/session"
)

// schemaVersion is raised whenever the tables change. What an older version left is brought to this one: it cannot be made
// anew from anything.
const schemaVersion = 1

const schema = `
CREATE TABLE command (
  seq INTEGER PRIMARY KEY, fleet TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, data BLOB NOT NULL, at TEXT NOT NULL,
  ack TEXT NOT NULL, pattern TEXT NOT NULL, timeout TEXT NOT NULL, by TEXT NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL,
  created INTEGER NOT NULL, expires INTEGER NOT NULL, written INTEGER NOT NULL, answered INTEGER NOT NULL,
  session TEXT NOT NULL, answer BLOB NOT NULL, resend_of TEXT NOT NULL,
  UNIQUE (id, fleet, name)
);
CREATE INDEX command_device ON command (fleet, name, seq);
CREATE INDEX command_open ON command (state) WHERE ` + isOpen + `;
`

// isOpen chooses the commands that are not over. A statement that says it in these words reads no others.
const isOpen = "state IN ('queued', 'writing', 'written')"

const columns = "fleet, name, id, data, at, ack, pattern, timeout, by, state, error, created, expires, written, answered, session, answer, resend_of"

// store is the file.
type store struct {
	write *sql.DB // one connection
	read  *sql.DB // some
	tidy  *sql.DB // one, for checkpoint

	committing sync.Mutex // held while a transaction is under way
	insert     *sql.Stmt
	update     *sql.Stmt
	begin      *sql.Stmt
	same       *sql.Stmt
}

func openStore(path string) (_ *store, err error) {
	dsn := "file:" + url.PathEscape(path) + "?_pragma=journal_mode(wal)&_pragma=synchronous(full)" +
		"&_pragma=busy_timeout(10000)&_pragma=cache_size(-4096)&_pragma=foreign_keys(0)&_pragma=wal_autocheckpoint(0)"
	s := &store{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.write, err = sql.Open("sqlite", dsn+"&_txlock=immediate"); err != nil {
		return nil, err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err != nil {
		return nil, err
	}
	if s.tidy, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	s.tidy.SetMaxOpenConns(1)
	s.read.SetMaxOpenConns(2)
	s.read.SetConnMaxIdleTime(time.Minute)
	var version int
	if err := s.write.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return nil, err
	}
	switch version {
	case schemaVersion:
	case 0:
		if _, err := s.write.Exec(fmt.Sprintf("BEGIN; %s PRAGMA user_version = %d; COMMIT", schema, schemaVersion)); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("it is of version %d, this program knows %d", version, schemaVersion)
	}
	return s, s.prepare()
}

func (s *store) prepare() error {
	for _, p := range []struct {
		into **sql.Stmt
		text string
	}{
		{&s.insert, "INSERT INTO command (seq, " + columns + ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"},
		{&s.update, "UPDATE command SET state = ?, error = ?, written = ?, answered = ?, session = ?, answer = ? WHERE seq = ?"},
		{&s.begin, "UPDATE command SET state = 'writing', session = ? WHERE seq = ? RETURNING id, data, ack, pattern, timeout"},
		{&s.same, "SELECT seq, " + columns + " FROM command WHERE fleet = ? AND name = ? AND id = ?"},
	} {
		var err error
		if *p.into, err = s.write.Prepare(p.text); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the file.
func (s *store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.tidy, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// change is a new state of a command.
type change struct {
	seq      int64
	state    device.CommandState
	why      string
	written  int64
	answered int64
	session  session.ID
	answer   []byte
}

// batch is a transaction.
type batch struct {
	store *store
	tx    *sql.Tx
}

// commit does all in one transaction, or nothing of it.
func (s *store) commit(changes map[int64]change, ops []op) error {
	tx, err := s.write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	update := tx.Stmt(s.update)
	for _, c := range changes {
		if _, err := update.Exec(c.state, c.why, c.written, c.answered, c.session, notNull(c.answer), c.seq); err != nil {
			return err
		}
	}
	b := &batch{s, tx}
	for _, o := range ops {
		if err := o.do(b); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Of the log of what was written (SQLite's WAL).
const (
	checkpointEvery = time.Second
	longLog         = 8 << 10 // pages of 4 KiB, beyond which the log is to begin anew
)

// await waits for the transaction that is under way, if one is.
func (s *store) await() {
	s.committing.Lock()
	defer s.committing.Unlock()
}

// checkpoint takes the log into the file, beside the transactions, which would wait for all of it else. A long log begins anew: for that
// transactions wait, while what came meanwhile is taken.
func (s *store) checkpoint() error {
	pages, err := s.takeLog()
	if err != nil || pages < longLog {
		return err
	}
	s.committing.Lock()
	defer s.committing.Unlock()
	_, err = s.takeLog()
	return err
}

func (s *store) takeLog() (pages int, err error) {
	var busy, taken int
	err = s.tidy.QueryRow("PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &taken)
	return pages, err
}

func notNull(p []byte) []byte {
	if p == nil {
		return []byte{}
	}
	return p
}

// add puts a command on disk, unless there is one with its id already: then it is that one, and existed.
func (b *batch) add(seq int64, c *device.Command) (was device.Command, existed bool, err error) {
	res, err := b.tx.Stmt(b.store.insert).Exec(seq, c.Fleet, c.Name, c.ID, c.Data, c.When, c.Ack.By, c.Ack.Pattern, c.Ack.Timeout, c.By,
		c.State, c.Error, c.Created, c.Expires, c.WrittenAt, c.AnsweredAt, c.Session, notNull(c.Answer), c.ResendOf)
	if err != nil {
		return was, false, err
	}
	if n, err := res.RowsAffected(); n > 0 || err != nil {
		return was, false, err
	}
	_, was, err = scan(b.tx.Stmt(b.store.same).QueryRow(c.Fleet, c.Name, c.ID))
	return was, true, err
}

// begin puts Writing on disk, and reads what is to be written.
func (b *batch) begin(seq int64, f *flight) error {
	var c device.Command
	err := b.tx.Stmt(b.store.begin).QueryRow(f.session, seq).Scan(&c.ID, &c.Data, &c.Ack.By, &c.Ack.Pattern, &c.Ack.Timeout)
	if errors.Is(err, sql.ErrNoRows) {
		f.broken = err
		return nil // that is no reason to refuse what else is in the transaction
	}
	if err != nil {
		return err
	}
	f.data = c.Data
	f.rule, f.broken = newRule(&c)
	return nil
}

// scan reads a row of seq and columns.
func scan(row interface{ Scan(...any) error }) (seq int64, c device.Command, err error) {
	err = row.Scan(&seq, &c.Fleet, &c.Name, &c.ID, &c.Data, &c.When, &c.Ack.By, &c.Ack.Pattern, &c.Ack.Timeout, &c.By, &c.State, &c.Error,
		&c.Created, &c.Expires, &c.WrittenAt, &c.AnsweredAt, &c.Session, &c.Answer, &c.ResendOf)
	return seq, c, err
}

// query reads commands, and their places in the order of all; at most as many as have maxListed bytes.
func (s *store) query(ctx context.Context, where string, args ...any) (list []device.Command, seqs []int64, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT seq, "+columns+" FROM command "+where, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for size := 0; rows.Next() && size < maxListed; {
		seq, c, err := scan(rows)
		if err != nil {
			return nil, nil, err
		}
		size += len(c.Data) + len(c.Answer)
		list, seqs = append(list, c), append(seqs, seq)
	}
	return list, seqs, rows.Err()
}
