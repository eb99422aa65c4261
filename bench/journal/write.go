//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

const (
	chunk       = 4 << 10
	pacedRate   = 2000 // chunks a second, all sessions together
	pacedLogs   = 20
	pacedFor    = 8 * time.Second
	rounds      = 5
	bulkBytes   = 1 << 30
	bulkPiece   = 64 << 10
	bulkLogs    = 4
	bareWrite   = 8 << 20 // what the bare loop writes before each sync: as much as a round of the journal holds
	smallLogs   = 64
	smallLasts  = 2 * time.Second
	acknowledge = 10 * time.Millisecond
)

// paced takes how long an event waits until it is on disk, at a steady rate.
func paced(r *benchkit.Run) error {
	r.Progress("%d chunks/s for %v", pacedRate, pacedFor)
	return inFolder(r, "paced", func(store *recording.Store) error {
		var mu sync.Mutex
		var all benchkit.Times
		data := benchkit.Random(chunk)
		err := each(pacedLogs, store, session.RecordStrict, func(i int, log *recording.Log) error {
			every := time.Second * pacedLogs / pacedRate
			next := time.Now().Add(every * time.Duration(i) / pacedLogs)
			for end := next.Add(pacedFor); next.Before(end); next = next.Add(every) {
				if err := benchkit.Sleep(r.Context, time.Until(next)); err != nil {
					return err
				}
				// From when the event was due: one that comes late because the one before waits counts as waiting.
				if err := durable(r, log, data); err != nil {
					return err
				}
				took := time.Since(next)
				mu.Lock()
				all.Add(took)
				mu.Unlock()
			}
			return nil
		})
		if err != nil {
			return err
		}
		p99 := all.Percentile(0.99)
		r.Add(benchkit.Row{Name: "2,000 chunks/s of 4 KiB, acknowledged p99", Ours: benchkit.One(p99.Seconds()), Unit: benchkit.Millis,
			Target: benchkit.AtMost(acknowledge.Seconds(), benchkit.Millis)})
		r.Note("Acknowledged, from when the event was due until it was on disk: p50 %v, p99 %v, slowest %v, of %d events in %d sessions.",
			all.Percentile(0.5), p99, all.Max().Round(time.Microsecond), all.Count(), pacedLogs)
		return nil
	})
}

func durable(r *benchkit.Run, log *recording.Log, data []byte) error {
	number, err := log.Append(session.Received, data)
	if err != nil {
		return err
	}
	return log.WaitDurable(r.Context, number)
}

// bulk writes as much as it can, beside a loop that does nothing but write and sync.
func bulk(r *benchkit.Run) error {
	data := benchkit.Random(bareWrite)
	var ours, bare benchkit.Series
	for i := range rounds {
		r.Progress("bulk %d of %d", i+1, rounds)
		took, err := bareLoop(r, bulkBytes, data)
		if err != nil {
			return err
		}
		bare = append(bare, bulkBytes/took.Seconds())
		if took, err = journalBulk(r, fmt.Sprintf("bulk-%d", i), data); err != nil {
			return err
		}
		ours = append(ours, bulkBytes/took.Seconds())
	}
	r.Add(benchkit.Row{Name: "as fast as possible, bulk", Ours: ours, Peer: bare, PeerName: "write+fsync", Unit: benchkit.GBPerSec,
		Target: benchkit.RatioAtLeast(0.7)})
	r.Note("Bulk is 1 GiB that does not compress, in events of 64 KiB from %d sessions, until the last is on disk. The bare loop writes "+
		"8 MiB and syncs, and keeps no checksums, no index and no order of sessions.", bulkLogs)
	return nil
}

func journalBulk(r *benchkit.Run, name string, data []byte) (took time.Duration, err error) {
	defer os.RemoveAll(filepath.Join(r.Dir, name))
	err = inFolder(r, name, func(store *recording.Store) error {
		start := time.Now()
		err := each(bulkLogs, store, session.RecordOn, func(i int, log *recording.Log) error {
			var last uint64
			for n := 0; n < bulkBytes/bulkLogs; n += bulkPiece {
				var err error
				if last, err = log.Append(session.Received, data[n%bareWrite:n%bareWrite+bulkPiece]); err != nil {
					return err
				}
			}
			log.Flush()
			if err := log.WaitDurable(r.Context, last); err != nil {
				return err
			}
			return nil
		}, func() { took = time.Since(start) })
		return err
	})
	return took, err
}

func bareLoop(r *benchkit.Run, total int64, data []byte) (time.Duration, error) {
	f, err := os.Create(filepath.Join(r.Dir, "bare"))
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	start := time.Now()
	for n := int64(0); n < total; n += int64(len(data)) {
		if _, err := f.Write(data); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// small has many sessions wait for each of their chunks, beside one loop that syncs every chunk by itself.
func small(r *benchkit.Run) error {
	data := benchkit.Random(chunk)
	var ours, bare benchkit.Series
	for i := range rounds {
		r.Progress("4 KiB chunks %d of %d", i+1, rounds)
		const loops = 2000
		took, err := bareLoop(r, loops*chunk, data)
		if err != nil {
			return err
		}
		bare = append(bare, loops/took.Seconds())
		name := fmt.Sprintf("small-%d", i)
		counts := make([]int, smallLogs)
		err = inFolder(r, name, func(store *recording.Store) error {
			end := time.Now().Add(smallLasts)
			return each(smallLogs, store, session.RecordStrict, func(i int, log *recording.Log) error {
				for ; time.Now().Before(end); counts[i]++ {
					if err := durable(r, log, data); err != nil {
						return err
					}
				}
				return nil
			})
		})
		os.RemoveAll(filepath.Join(r.Dir, name))
		if err != nil {
			return err
		}
		total := 0
		for _, n := range counts {
			total += n
		}
		ours = append(ours, float64(total)/smallLasts.Seconds())
	}
	r.Add(benchkit.Row{Name: "as fast as possible, chunks of 4 KiB, each acknowledged", Ours: ours, Peer: bare, PeerName: "write+fsync",
		Unit: benchkit.PerSecond, Target: benchkit.RatioAtLeast(0.7)})
	return nil
}

// each runs f for so many sessions at once, then the given functions, and then ends the sessions.
func each(n int, store *recording.Store, record session.Record, f func(int, *recording.Log) error, after ...func()) error {
	logs := make([]*recording.Log, n)
	for i := range logs {
		var err error
		if logs[i], _, err = begin(store, record); err != nil {
			return err
		}
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i, log := range logs {
		wg.Go(func() { errs[i] = f(i, log) })
	}
	wg.Wait()
	for _, f := range after {
		f()
	}
	for _, log := range logs {
		log.End(done())
	}
	return errors.Join(errs...)
}
