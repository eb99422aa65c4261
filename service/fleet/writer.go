package fleet

import (
	"database/sql"
	"maps"
	"time"

	"github.com/switchboard-relay/switchboard/device"
)

// run writes what was noted, soon after it was and not too often, until close.
func (st *store) run() {
	defer close(st.stopped)
	recount := time.NewTicker(countEvery)
	defer recount.Stop()
	for {
		select {
		case <-st.wake:
			select {
			case <-time.After(writeEvery):
			case <-st.stop:
			}
		case <-recount.C:
			st.recountLive()
		case <-st.stop:
			st.recountLive()
			st.flush()
			return
		}
		st.flush()
	}
}

// recountLive notes the devices that are connected and were heard lately: their counts change all the time.
func (st *store) recountLive() {
	lately := time.Now().Add(-2 * countEvery).UnixMicro()
	for _, f := range st.fleets.each() {
		f.mu.Lock()
		for _, e := range f.entries {
			for _, v := range e.visits {
				if v.s.LastReceived() >= lately {
					f.changed(e)
				}
			}
		}
		f.mu.Unlock()
	}
}

// flush writes all that was noted. What cannot be written is noted again.
func (st *store) flush() {
	st.mu.Lock()
	dirty, rows, gone, missed := st.dirty, st.rows, st.gone, st.missed
	st.dirty, st.rows, st.gone, st.missed = map[*entry]*fleet{}, map[rowKey]device.Connection{}, map[rowKey]int64{}, false
	st.writing = rows
	st.mu.Unlock()
	if len(dirty)+len(rows)+len(gone) == 0 {
		return
	}
	devices := make([]stored, 0, len(dirty))
	for e, f := range dirty {
		f.mu.Lock()
		e.dirty = false
		d := stored{e.status(f), e.admitted}
		st.mu.Lock() // connections reads what is being written
		for _, v := range e.visits {
			rows[rowKey{f.name, e.name, v.s.ID()}] = v.connection()
		}
		st.mu.Unlock()
		f.mu.Unlock()
		devices = append(devices, d)
	}
	err := st.commit(devices, rows, gone)
	st.mu.Lock()
	st.writing = nil
	if err != nil {
		for k, row := range rows {
			if _, newer := st.rows[k]; !newer && len(st.rows) < maxRows {
				st.rows[k] = row
			}
		}
		for k, at := range gone {
			st.gone[k] = max(st.gone[k], at)
		}
	}
	st.mu.Unlock()
	if err != nil {
		for e, f := range dirty {
			f.mu.Lock()
			f.changed(e)
			f.mu.Unlock()
		}
		if !st.failing {
			st.logger.Error("devices cannot be written to their file; it is tried again", "error", err)
		}
	} else if st.failing {
		st.logger.Info("devices are written to their file again")
	}
	st.failing = err != nil
	if missed {
		st.logger.Warn("connections of devices were left out of their file: too many waited for it", "limit", maxRows)
	}
}

// stored is a device as it is written.
type stored struct {
	device.Status
	admitted bool
}

func (st *store) commit(devices []stored, rows map[rowKey]device.Connection, gone map[rowKey]int64) error {
	tx, err := st.write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for k, at := range gone {
		if _, err := tx.Exec("INSERT OR REPLACE INTO forgotten VALUES (?, ?, ?)", k.fleet, k.name, at); err != nil {
			return err
		}
		for _, table := range []string{"device", "connection"} {
			if _, err := tx.Exec("DELETE FROM "+table+" WHERE fleet = ? AND name = ?", k.fleet, k.name); err != nil {
				return err
			}
		}
	}
	if err := writeDevices(tx, devices); err != nil {
		return err
	}
	if err := writeConnections(tx, rows); err != nil {
		return err
	}
	now := time.Now().UnixMicro()
	if _, err := tx.Exec("INSERT OR REPLACE INTO written VALUES (1, ?)", now); err != nil {
		return err
	}
	if _, err := tx.Exec("DELETE FROM forgotten WHERE at < ?", now-2*missedBefore); err != nil { // nothing that old is looked for
		return err
	}
	return tx.Commit()
}

func writeDevices(tx *sql.Tx, devices []stored) error {
	insert, err := tx.Prepare(`INSERT OR REPLACE INTO device VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, d := range devices {
		if _, err := insert.Exec(d.Fleet, d.Name, d.admitted, d.Listener, d.Transport, d.Remote, d.Session, d.FirstSeen, d.Since,
			d.LastHeard, d.Connections, d.Messages, d.Flagged, d.Received, d.Sent, d.Cause); err != nil {
			return err
		}
	}
	return nil
}

func writeConnections(tx *sql.Tx, rows map[rowKey]device.Connection) error {
	insert, err := tx.Prepare(`INSERT OR REPLACE INTO connection VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	trim, err := tx.Prepare(`DELETE FROM connection WHERE fleet = ?1 AND name = ?2 AND start <
		(SELECT start FROM connection WHERE fleet = ?1 AND name = ?2 ORDER BY start DESC LIMIT 1 OFFSET ?3)`)
	if err != nil {
		return err
	}
	defer trim.Close()
	grown := map[rowKey]bool{}
	for k, c := range rows {
		if _, err := insert.Exec(k.fleet, k.name, c.Start, c.Session, c.Listener, c.Transport, c.Remote, c.End, c.Cause, c.Messages,
			c.Received, c.Sent); err != nil {
			return err
		}
		grown[rowKey{k.fleet, k.name, ""}] = true
	}
	for k := range grown {
		if _, err := trim.Exec(k.fleet, k.name, maxPerDevice-1); err != nil {
			return err
		}
	}
	return nil
}

// connections are those of a device that are on disk or wait to be, by session.
func (st *store) connections(fleet, name string) (map[rowKey]device.Connection, error) {
	found := map[rowKey]device.Connection{}
	if st == nil {
		return found, nil
	}
	noted := map[rowKey]device.Connection{}
	st.mu.Lock()
	for _, m := range []map[rowKey]device.Connection{st.writing, st.rows} {
		for k, c := range m {
			if k.fleet == fleet && k.name == name {
				noted[k] = c
			}
		}
	}
	st.mu.Unlock()
	rows, err := st.read.Query(`SELECT session, listener, transport, remote, start, end, cause, messages, received, sent
		FROM connection WHERE fleet = ? AND name = ? ORDER BY start DESC LIMIT ?`, fleet, name, maxPerDevice)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c device.Connection
		if err := rows.Scan(&c.Session, &c.Listener, &c.Transport, &c.Remote, &c.Start, &c.End, &c.Cause, &c.Messages, &c.Received,
			&c.Sent); err != nil {
			return nil, err
		}
		found[rowKey{fleet, name, c.Session}] = c
	}
	maps.Copy(found, noted)
	return found, rows.Err()
}
