package fleet

import (
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/session"
)

const schemaVersion = 1

const schema = `
CREATE TABLE device (
  fleet TEXT NOT NULL, name TEXT NOT NULL, admitted INTEGER NOT NULL, listener TEXT NOT NULL, transport TEXT NOT NULL,
  remote TEXT NOT NULL, session TEXT NOT NULL, first_seen INTEGER NOT NULL, since INTEGER NOT NULL, last_heard INTEGER NOT NULL,
  connections INTEGER NOT NULL, messages INTEGER NOT NULL, flagged INTEGER NOT NULL, received INTEGER NOT NULL,
  sent INTEGER NOT NULL, cause TEXT NOT NULL, PRIMARY KEY (fleet, name)
) WITHOUT ROWID;
CREATE TABLE connection (
  fleet TEXT NOT NULL, name TEXT NOT NULL, start INTEGER NOT NULL, session TEXT NOT NULL, listener TEXT NOT NULL,
  transport TEXT NOT NULL, remote TEXT NOT NULL, end INTEGER NOT NULL, cause TEXT NOT NULL, messages INTEGER NOT NULL,
  received INTEGER NOT NULL, sent INTEGER NOT NULL, PRIMARY KEY (fleet, name, start, session)
) WITHOUT ROWID;
CREATE TABLE written (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL);
CREATE INDEX connection_open ON connection (end) WHERE end = 0;
`

// forgottenSchema came later, and is there in each file: devices that were forgotten lately, Unix µs.
const forgottenSchema = `CREATE TABLE IF NOT EXISTS forgotten (fleet TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (fleet, name)) WITHOUT ROWID`

// store keeps devices on disk. What changes is noted in a list, and written soon, by a goroutine of its own: no device waits for it.
type store struct {
	write  *sql.DB // one connection
	read   *sql.DB
	logger *slog.Logger
	fleets *Fleets
	began  int64 // Unix µs: connections before were another process's

	mu      sync.Mutex
	dirty   map[*entry]*fleet
	rows    map[rowKey]device.Connection // to be written
	writing map[rowKey]device.Connection // being written
	gone    map[rowKey]int64             // devices to be forgotten, since when (Unix µs); their session is empty
	lately  map[rowKey]int64             // devices that were forgotten: their recordings do not bring them back. nil once caught
	missed  bool                         // rows could not be noted

	wake    chan struct{}
	stop    chan struct{}
	stopped chan struct{}
	caught  chan struct{} // closed when what a crash left is brought up to date
	failing bool          // owned by run
}

// rowKey is a device's connection.
type rowKey struct {
	fleet, name string
	session     session.ID
}

const (
	writeEvery   = 500 * time.Millisecond // at most: what changes is on disk soon behind that
	countEvery   = 30 * time.Second       // counts of devices that stay connected
	maxRows      = 200_000                // connections that wait to be written
	maxPerDevice = 50                     // connections that are kept of a device, the newest
)

func openStore(path string, fleets *Fleets) (*store, error) {
	st, err := open(path, fleets)
	if err == nil {
		return st, nil
	}
	// Devices come again by themselves; a file that cannot be read must not keep them out.
	if e := os.Rename(path, path+".damaged"); e != nil {
		return nil, fmt.Errorf("devices %s: %w (and it cannot be moved aside: %w)", path, err, e)
	}
	os.Remove(path + "-wal")
	os.Remove(path + "-shm")
	fleets.opt.Logger.Error("the file of devices cannot be read: it was moved aside, and devices are known anew", "file", path, "error", err)
	if st, err = open(path, fleets); err != nil {
		return nil, fmt.Errorf("devices %s: %w", path, err)
	}
	return st, nil
}

func open(path string, fleets *Fleets) (*store, error) {
	dsn := "file:" + url.PathEscape(path) + "?_pragma=journal_mode(wal)&_pragma=synchronous(normal)" +
		"&_pragma=busy_timeout(10000)&_pragma=cache_size(-1024)"
	st := &store{began: time.Now().UnixMicro(), fleets: fleets, logger: fleets.opt.Logger, dirty: map[*entry]*fleet{}, rows: map[rowKey]device.Connection{},
		gone: map[rowKey]int64{}, lately: map[rowKey]int64{}, wake: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
		caught: make(chan struct{})}
	var err error
	if st.write, err = sql.Open("sqlite", dsn+"&_txlock=immediate"); err != nil {
		return nil, err
	}
	st.write.SetMaxOpenConns(1)
	if st.read, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err == nil {
		st.read.SetMaxOpenConns(2)
		st.read.SetConnMaxIdleTime(time.Minute)
		if err = st.prepare(); err == nil {
			err = st.load()
		}
	}
	if err != nil {
		st.write.Close()
		if st.read != nil {
			st.read.Close()
		}
		fleets.fleets = map[string]*fleet{}
		return nil, err
	}
	return st, nil
}

// begin writes, and brings up to date what a crash left, until close.
func (st *store) begin() {
	go st.run() // close waits for both
	go st.catchUp()
}

func (st *store) prepare() error {
	var version int
	if err := st.write.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	switch version {
	case schemaVersion:
	case 0:
		if _, err := st.write.Exec(fmt.Sprintf("BEGIN; %s PRAGMA user_version = %d; COMMIT", schema, schemaVersion)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("it is of version %d, this program writes %d", version, schemaVersion)
	}
	_, err := st.write.Exec(forgottenSchema)
	return err
}

// load reads all devices; nobody is connected yet.
func (st *store) load() error {
	if err := st.loadForgotten(); err != nil {
		return err
	}
	rows, err := st.write.Query(`SELECT fleet, name, admitted, listener, transport, remote, session, first_seen, since, last_heard,
		connections, messages, flagged, received, sent, cause FROM device`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var in string
		e := &entry{}
		t := &e.tally
		if err := rows.Scan(&in, &e.name, &e.admitted, &e.newest.listener, &e.newest.transport, &e.newest.remote, &e.session,
			&e.first, &e.since, &e.heard, &e.times, &t.messages, &t.flagged, &t.received, &t.sent, &e.cause); err != nil {
			return err
		}
		f := st.fleets.fleets[in]
		if f == nil {
			f = newFleet(in, st.fleets)
			st.fleets.fleets[in] = f
		}
		f.entries[e.name] = e
	}
	return rows.Err()
}

func (st *store) loadForgotten() error {
	rows, err := st.write.Query("SELECT fleet, name, at FROM forgotten")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k rowKey
		var at int64
		if err := rows.Scan(&k.fleet, &k.name, &at); err != nil {
			return err
		}
		st.lately[k] = at
	}
	return rows.Err()
}

func (st *store) close() error {
	close(st.stop)
	<-st.caught
	<-st.stopped
	err := st.read.Close()
	if e := st.write.Close(); err == nil {
		err = e
	}
	return err
}

// changed notes that an entry is to be written; its fleet's mu is held. So it is for all that notes.
func (st *store) changed(f *fleet, e *entry) {
	if st == nil || e.dirty {
		return
	}
	e.dirty = true
	st.mu.Lock()
	st.dirty[e] = f
	st.mu.Unlock()
	st.rouse()
}

func (st *store) rouse() {
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// connected notes a connection, disconnected its end, and recounted what it had counted at its end.
func (st *store) connected(v *visit) { st.note(v, 0) }

func (st *store) disconnected(v *visit, at int64) { st.note(v, at) }

func (st *store) recounted(v *visit) { st.note(v, v.left) }

func (st *store) note(v *visit, end int64) {
	v.left = end
	if st == nil {
		return
	}
	k := rowKey{v.svc.fleet.name, v.entry.name, v.s.ID()}
	row := v.connection()
	st.mu.Lock()
	defer st.mu.Unlock()
	if _, known := st.rows[k]; !known && len(st.rows) >= maxRows {
		st.missed = true
		return
	}
	st.rows[k] = row
}

// connection is the visit as its device's connection; its fleet's mu is held.
func (v *visit) connection() device.Connection {
	t := v.folded
	if v.left == 0 {
		t = v.tally()
	}
	t = t.less(v.base)
	c := device.Connection{Session: v.s.ID(), Listener: v.svc.conf.Listener, Transport: v.s.Transport(),
		Remote: v.s.RemoteAddr().String(), Start: v.since, End: v.left, Messages: t.messages, Received: t.received, Sent: t.sent}
	if end := v.s.Ended(); end != nil && v.left != 0 {
		c.Cause = end.Cause
	}
	return c
}

// forgotten notes that an entry is no more.
func (st *store) forgotten(f *fleet, e *entry) {
	if st == nil {
		return
	}
	k, now := rowKey{f.name, e.name, ""}, time.Now().UnixMicro()
	st.mu.Lock()
	delete(st.dirty, e)
	st.gone[k] = now
	if st.lately != nil {
		st.lately[k] = now
	}
	st.mu.Unlock()
	e.dirty = false
	st.rouse()
}

// dropRows leaves out connections of a device that were not written yet.
func (st *store) dropRows(fleet, name string) {
	if st == nil {
		return
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for k := range st.rows {
		if k.fleet == fleet && k.name == name {
			delete(st.rows, k)
		}
	}
}
