package forward

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/switchboard-relay/switchboard/session"
)

// ledgerVersion is raised whenever the tables change.
const ledgerVersion = 1

const ledgerSchema = `
CREATE TABLE forward (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL, paused INTEGER NOT NULL,
  searched INTEGER NOT NULL);
CREATE TABLE feed (
  forward INTEGER NOT NULL, session TEXT NOT NULL, fleet TEXT NOT NULL, name TEXT NOT NULL,
  start INTEGER NOT NULL, named INTEGER NOT NULL, after INTEGER NOT NULL,
  event INTEGER NOT NULL, within INTEGER NOT NULL, offset INTEGER NOT NULL, framer INTEGER NOT NULL, said TEXT NOT NULL, serial INTEGER NOT NULL,
  done INTEGER NOT NULL,
  PRIMARY KEY (forward, session)
) WITHOUT ROWID;
CREATE INDEX feed_done ON feed (done) WHERE done > 0;
CREATE TABLE written (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL);
INSERT INTO written VALUES (1, 0);
`

// ledger is the file of places: for each forward and each session of which something may be left, where it is.
type ledger struct {
	db        *sql.DB
	mu        sync.Mutex // one transaction at a time
	committed int64      // what was known by then is in the file that was opened, Unix µs
}

// row is a feed in the ledger.
type row struct {
	forward      int64
	session      session.ID
	fleet, name  string
	start, named int64
	after        int64
	event        uint64
	within       int64
	offset       int64
	framer       int64
	said         string
	serial       int64

	written bool // it is in the ledger already
}

// doneRow is a session of which nothing is left. It is remembered for as long as it may be taken for one that the ledger
// never had.
type doneRow struct {
	session session.ID
	at      int64 // Unix µs
}

// leftover is a forward in the ledger.
type leftover struct {
	id, created int64
	paused      bool
	searched    bool // what was on record when it began was found
	rows        []row
	done        map[session.ID]bool
}

func openLedger(path string) (*ledger, error) {
	l, err := tryLedger(path)
	if err == nil {
		return l, nil
	}
	return nil, fmt.Errorf("%s: %w: move it away to begin anew: what was not delivered then never is", path, err)
}

func tryLedger(path string) (*ledger, error) {
	dsn := "file:" + url.PathEscape(path) + "?_pragma=journal_mode(wal)&_pragma=synchronous(normal)" +
		"&_pragma=busy_timeout(10000)&_pragma=cache_size(-2048)&_pragma=foreign_keys(0)&_txlock=immediate"
	if f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err == nil { // SQLite would make it for all to read
		f.Close()
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	l := &ledger{db: db}
	if err := l.prepare(); err != nil {
		db.Close()
		return nil, err
	}
	return l, nil
}

func (l *ledger) prepare() error {
	var version int
	if err := l.db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	switch version {
	case ledgerVersion:
	case 0:
		if _, err := l.db.Exec(fmt.Sprintf("BEGIN; %s PRAGMA user_version = %d; COMMIT", ledgerSchema, ledgerVersion)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("it is of version %d, this program writes %d", version, ledgerVersion)
	}
	return l.db.QueryRow("SELECT at FROM written").Scan(&l.committed)
}

func (l *ledger) close() error { return l.db.Close() }

// load is all that there is.
func (l *ledger) load() (map[string]leftover, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.db.Exec("DELETE FROM feed WHERE forward NOT IN (SELECT id FROM forward)"); err != nil {
		return nil, err
	}
	left, byID := map[string]leftover{}, map[int64]string{}
	rows, err := l.db.Query("SELECT id, name, created, paused, searched FROM forward")
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var name string
		lo := leftover{done: map[session.ID]bool{}}
		if err := rows.Scan(&lo.id, &name, &lo.created, &lo.paused, &lo.searched); err != nil {
			rows.Close()
			return nil, err
		}
		left[name], byID[lo.id] = lo, name
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	rows, err = l.db.Query("SELECT forward, session, fleet, name, start, named, after, event, within, offset, framer, said, serial, done FROM feed")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, done := row{written: true}, int64(0)
		if err := rows.Scan(&r.forward, &r.session, &r.fleet, &r.name, &r.start, &r.named, &r.after, &r.event, &r.within, &r.offset,
			&r.framer, &r.said, &r.serial, &done); err != nil {
			return nil, err
		}
		lo := left[byID[r.forward]]
		if done > 0 {
			lo.done[r.session] = true
			continue
		}
		lo.rows = append(lo.rows, r)
		left[byID[r.forward]] = lo
	}
	return left, rows.Err()
}

// exchange forgets forwards and adds others, all or none, and returns what the others are called from now on: never what one
// was called before, whose places may still be written.
func (l *ledger) exchange(gone []int64, fresh []*runner) (ids []int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tx, err := l.db.Begin()
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // does nothing after Commit
	for _, id := range gone {
		for _, statement := range []string{"DELETE FROM feed WHERE forward = ?", "DELETE FROM forward WHERE id = ?"} {
			if _, err := tx.Exec(statement, id); err != nil {
				return nil, err
			}
		}
	}
	for _, r := range fresh {
		done, err := tx.Exec("INSERT INTO forward (name, created, paused, searched) VALUES (?, ?, 0, ?)", r.conf.Name, r.created, r.searched)
		if err != nil {
			return nil, err
		}
		id, err := done.LastInsertId()
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, tx.Commit()
}

func (l *ledger) setSearched(id int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.db.Exec("UPDATE forward SET searched = 1 WHERE id = ?", id)
	return err
}

func (l *ledger) setPaused(id int64, paused bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.db.Exec("UPDATE forward SET paused = ? WHERE id = ?", paused, id)
	return err
}

const putPlace = `INSERT INTO feed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0)
ON CONFLICT (forward, session) DO UPDATE SET fleet = ?3, name = ?4, named = ?6, event = ?8, within = ?9, offset = ?10, framer = ?11, said = ?12,
  serial = ?13`

const putDone = `INSERT INTO feed VALUES (?1, ?2, '', '', 0, 0, 0, 0, 0, 0, 0, '', 0, ?3)
ON CONFLICT (forward, session) DO UPDATE SET done = ?3`

// changes are what was not written yet.
type changes struct {
	at    int64 // when they were gathered, Unix µs
	rows  []row
	done  []int64   // the forwards,
	of    []doneRow // and what they are done with
	purge int64     // what was done before is forgotten, Unix µs; 0: nothing
}

func (l *ledger) write(ctx context.Context, c *changes) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if len(c.rows) > 0 {
		st, err := tx.Prepare(putPlace)
		if err != nil {
			return err
		}
		defer st.Close()
		for i := range c.rows {
			r := &c.rows[i]
			if _, err := st.Exec(r.forward, string(r.session), r.fleet, r.name, r.start, r.named, r.after, int64(r.event), r.within, r.offset,
				r.framer, r.said, r.serial); err != nil {
				return err
			}
		}
	}
	if len(c.of) > 0 {
		st, err := tx.Prepare(putDone)
		if err != nil {
			return err
		}
		defer st.Close()
		for i, d := range c.of {
			if _, err := st.Exec(c.done[i], string(d.session), d.at); err != nil {
				return err
			}
		}
	}
	if c.purge > 0 {
		if _, err := tx.Exec("DELETE FROM feed WHERE done > 0 AND done < ?", c.purge); err != nil {
			return err
		}
	}
	if _, err := tx.Exec("UPDATE written SET at = ?", c.at); err != nil {
		return err
	}
	return tx.Commit()
}

const (
	saveEvery  = 200 * time.Millisecond // places are written so often,
	saveShare  = 20                     // or less where that would take more than a part of the time
	saveAlways = 30 * time.Second       // and so often where nothing changed
	saveRetry  = time.Second            // after an error

	scanMargin = 10 * time.Second // by which clocks may have been set back
)

// save writes places until the context ends.
func (f *Forwards) save(ctx context.Context) {
	wait, last := saveEvery, time.Now()
	failing := false
	for {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = saveEvery
		if !f.isUnwritten() && time.Since(last) < saveAlways {
			continue
		}
		began := time.Now()
		err := f.commit()
		if err == nil {
			wait, last = max(wait, saveShare*time.Since(began)), time.Now()
		} else {
			wait = saveRetry
			if !failing {
				f.logger.Error("places of forwards cannot be written; after a crash more is delivered again", "error", err)
			}
		}
		failing = err != nil
	}
}

// all are the forwards of now.
func (f *Forwards) all() []*runner {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]*runner, 0, len(f.runners))
	for _, r := range f.runners {
		list = append(list, r)
	}
	return list
}

func (f *Forwards) isUnwritten() bool {
	return slices.ContainsFunc(f.all(), func(r *runner) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.unwritten)+len(r.finished) > 0
	})
}

// commit writes what was not written yet. On an error it is kept.
func (f *Forwards) commit() error {
	if !f.configured.Load() {
		return nil // what an earlier process left is not known yet
	}
	c := changes{at: time.Now().UnixMicro()}
	c.purge = c.at - 2*scanMargin.Microseconds()
	runners := f.all()
	feeds := make([][]*feed, len(runners))
	done := make([][]doneRow, len(runners))
	for i, r := range runners {
		feeds[i], done[i] = r.gather(&c)
	}
	err := f.ledger.write(context.Background(), &c)
	if err == nil {
		return nil
	}
	for i, r := range runners {
		r.mu.Lock()
		r.finished = append(done[i], r.finished...)
		for _, fd := range feeds[i] {
			r.note(fd)
		}
		r.mu.Unlock()
	}
	return err
}

// gather takes what is to be written of a forward.
func (r *runner) gather(c *changes) (feeds []*feed, done []doneRow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	feeds, done = r.unwritten, r.finished
	r.unwritten, r.finished = nil, nil
	for _, fd := range feeds {
		fd.unwritten = false
		if fd.state.Load() == gone {
			continue
		}
		st := fd.stream
		p := st.person.Load()
		c.rows = append(c.rows, row{forward: r.id, session: st.id, fleet: p.fleet, name: p.name, start: st.start, named: st.named.Load(), after: fd.after,
			event: fd.event, within: int64(fd.within), offset: fd.offset, framer: int64(fd.framer), said: fd.said, serial: int64(fd.serial)})
	}
	for _, d := range done {
		c.done, c.of = append(c.done, r.id), append(c.of, d)
	}
	return feeds, done
}
