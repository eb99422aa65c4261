package command

import (
	"fmt"
	"testing"
	"time"
)

func (q *Queue) exec(t *testing.T, text string) {
	t.Helper()
	if _, err := q.store.write.Exec(text); err != nil {
		t.Fatal(err)
	}
}

// FillDisk lets the file grow no more.
func (q *Queue) FillDisk(t *testing.T) { q.exec(t, "PRAGMA max_page_count = 1") }

// EmptyDisk lets it grow again.
func (q *Queue) EmptyDisk(t *testing.T) { q.exec(t, "PRAGMA max_page_count = 1000000000") }

// SetVersion makes the file one of another program.
func (q *Queue) SetVersion(t *testing.T, version int) {
	q.exec(t, fmt.Sprintf("PRAGMA user_version = %d", version))
}

// MaxFollowers is how many lines on links may tell of one command.
const MaxFollowers = maxFollowers

// Plan is how SQLite finds what a filter chooses.
func (q *Queue) Plan(t *testing.T, f Filter) (plan string) {
	t.Helper()
	f.Limit = 100
	where, args := f.where()
	rows, err := q.store.read.Query("EXPLAIN QUERY PLAN SELECT seq, "+columns+" FROM command "+where, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan += detail + "; "
	}
	return plan
}

// PruneNow looks at all history.
func (q *Queue) PruneNow(t *testing.T) { q.PruneAt(t, time.Now()) }

// PruneAt looks at all history as at another time.
func (q *Queue) PruneAt(t *testing.T, now time.Time) {
	t.Helper()
	if err := q.pruneAll(now); err != nil {
		t.Fatal(err)
	}
}
