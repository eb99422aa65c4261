package command

import (
	"database/sql"
	"errors"
	"time"
)

// How often history is looked at, and how much of it goes at once.
const (
	pruneEvery = time.Hour
	pruneCheck = 5 * time.Second
	pruneSlack = 100 // commands of a device that come over before it is looked at
	pruneOnce  = 500 // commands: LIMIT of the statements below
)

// tidy takes the store's log into its file, for as long as the queue is open.
func (q *Queue) tidy() {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-q.stop:
			return
		case <-tick.C:
			if !q.writer.wrote.Swap(false) {
				continue
			}
			if err := q.store.checkpoint(); err != nil {
				q.logger.Warn("the log of commands could not be taken into their file", "error", err)
			}
		}
	}
}

const isOver = "NOT " + isOpen

// prune removes what is too old, or too much, for as long as the queue is open.
func (q *Queue) prune() {
	check := time.NewTicker(pruneCheck)
	defer check.Stop()
	var last time.Time
	for {
		select {
		case <-q.stop:
			return
		case now := <-check.C:
			var err error
			if now.Sub(last) >= pruneEvery {
				last, err = now, q.pruneAll(now)
			} else {
				err = q.pruneBusy()
			}
			if err != nil {
				q.logger.Warn("old commands could not be removed", "error", err)
			}
		}
	}
}

// pruneBusy looks at the devices that have had many commands since they were looked at, and at how many are kept of all.
func (q *Queue) pruneBusy() error {
	var busy []key
	q.mu.Lock()
	for k, n := range q.pruning {
		if n >= pruneSlack {
			busy = append(busy, k)
			delete(q.pruning, k)
		}
	}
	tooMany := q.kept - (MaxKept - 10*pruneOnce)
	q.mu.Unlock()
	for _, k := range busy {
		if err := q.pruneDevice(k); err != nil {
			return err
		}
	}
	if tooMany > 0 {
		return q.remove("seq IN (SELECT seq FROM command WHERE "+isOver+" ORDER BY seq LIMIT 500)", tooMany)
	}
	return nil
}

// pruneAll looks at everything.
func (q *Queue) pruneAll(now time.Time) error {
	if err := q.pruneOld(now.Add(-HistoryAge).UnixMicro()); err != nil {
		return err
	}
	rows, err := q.store.read.Query("SELECT fleet, name FROM command GROUP BY fleet, name HAVING count(*) > ?", MaxHistory)
	if err != nil {
		return err
	}
	defer rows.Close()
	var many []key
	for rows.Next() {
		var k key
		if err := rows.Scan(&k.fleet, &k.name); err != nil {
			return err
		}
		many = append(many, k)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, k := range many {
		if err := q.pruneDevice(k); err != nil {
			return err
		}
	}
	q.mu.Lock()
	clear(q.pruning)
	q.mu.Unlock()
	return q.pruneBusy()
}

// pruneOld removes what was asked for before a time, Unix µs. Where that ends is looked for beside the transactions.
func (q *Queue) pruneOld(before int64) error {
	var first sql.NullInt64
	err := q.store.read.QueryRow("SELECT min(seq) FROM command").Scan(&first)
	if err != nil || !first.Valid {
		return err
	}
	end := q.place()
	err = q.store.read.QueryRow("SELECT seq FROM command WHERE created >= ? ORDER BY seq LIMIT 1", before).Scan(&end)
	if err != nil && !errors.Is(err, sql.ErrNoRows) || end <= first.Int64 {
		return err
	}
	return q.remove("seq IN (SELECT seq FROM command WHERE seq < ? AND "+isOver+" ORDER BY seq LIMIT 500)", MaxKept, end)
}

// place is behind all commands that there are.
func (q *Queue) place() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.next
}

// pruneDevice removes what is too much of one device's history.
func (q *Queue) pruneDevice(k key) error {
	return q.remove("seq IN (SELECT seq FROM command WHERE fleet = ? AND name = ? AND "+isOver+" AND seq <= (SELECT seq FROM command "+
		"WHERE fleet = ? AND name = ? AND "+isOver+" ORDER BY seq DESC LIMIT 1 OFFSET ?) ORDER BY seq LIMIT 500)", MaxKept,
		k.fleet, k.name, k.fleet, k.name, MaxHistory)
}

// remove deletes what the condition chooses, pruneOnce at a time, until about so many are gone.
func (q *Queue) remove(condition string, most int, args ...any) error {
	for most > 0 {
		var gone int64
		answer := make(chan error, 1)
		q.writer.put(op{
			do: func(tx *batch) error {
				res, err := tx.tx.Exec("DELETE FROM command WHERE "+condition, args...)
				if err == nil {
					gone, err = res.RowsAffected()
				}
				return err
			},
			done: func(err error) { answer <- err },
		})
		if err := <-answer; err != nil {
			return err
		}
		q.mu.Lock()
		q.kept -= int(gone)
		q.mu.Unlock()
		if gone < pruneOnce {
			return nil
		}
		most -= int(gone)
	}
	return nil
}

// Counts are how many commands there are in each state that is not over, and how many are kept.
type Counts struct {
	Waiting int // of all devices, not over
	Devices int // that have such
	Kept    int
}

// Counts counts them.
func (q *Queue) Counts() Counts {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := Counts{Kept: q.kept}
	for _, t := range q.targets {
		if n := t.waiting(); n > 0 {
			c.Waiting += n
			c.Devices++
		}
	}
	return c
}
