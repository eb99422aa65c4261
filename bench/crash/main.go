//go:build linux

// Command crash kills a process that records, again and again, and looks at what the next start makes of it: whether
// every acknowledged event is there, and whether every session is listed and plays.
package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

var rounds = flag.Int("rounds", 100, "how often to kill")

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "crash",
		About: "kill -9 while recording with fsync, and what the next start finds",
		Run:   run,
		Roles: map[string]benchkit.Role{"record": record},
	})
}

// options make segments turn over and old ones move, so that kills meet those moments as well.
func options(dir string) recording.Options {
	return recording.Options{Dir: dir, SegmentSize: 128 << 10, JournalLimit: 256 << 10, ChunkAge: 5 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

type tally struct {
	sessions, acknowledged, lost, wrong, unlisted, unplayable, moved int
	all                                                              map[session.ID]*acknowledged
	reopen                                                           benchkit.Series
}

func run(r *benchkit.Run) error {
	dir := filepath.Join(r.Dir, "data")
	t := tally{all: map[session.ID]*acknowledged{}}
	for i := range *rounds {
		r.Progress("round %d of %d: %d events acknowledged so far, %d lost", i+1, *rounds, t.acknowledged, t.lost)
		acks, err := crash(r, dir)
		if err != nil {
			return err
		}
		if parts, _ := filepath.Glob(filepath.Join(dir, "journal", "*.part")); len(parts) > 0 {
			t.moved++
		}
		if err := t.check(dir, acks); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
	}
	damaged, torn := 0, 0
	_, err := recording.Verify(dir, func(d recording.Damage) {
		at := t.all[d.Session]
		if d.Session != "" && (at == nil || d.FirstEvent > at.number) { // nil: nothing of the session was acknowledged
			torn++
			return
		}
		damaged++
		r.Note("%v", d)
	})
	if err != nil {
		return err
	}
	none := benchkit.Exactly(0, benchkit.Number)
	count := func(name string, n int, target benchkit.Target) {
		r.Add(benchkit.Row{Name: name, Ours: benchkit.One(float64(n)), Unit: benchkit.Number, Target: target})
	}
	count("rounds of kill -9", *rounds, benchkit.Target{})
	count("sessions", t.sessions, benchkit.Target{})
	count("acknowledged events", t.acknowledged, benchkit.Target{})
	count("of them lost", t.lost, none)
	count("events with other bytes, or out of order", t.wrong, none)
	count("sessions that are not listed afterwards", t.unlisted, none)
	count("sessions that do not play to their end", t.unplayable, none)
	count("damaged places where events had been acknowledged", damaged, none)
	count("records half-written at a kill, never acknowledged, shown as gaps", torn, benchkit.Target{})
	r.Add(benchkit.Row{Name: "time to open again", Ours: t.reopen, Unit: benchkit.Millis, Target: benchkit.AtMost(1, benchkit.Seconds)})
	r.Note("Killed 1 to 80 ms after the first acknowledgement. Segments of 128 KiB and a journal of 256 KiB, so that kills also "+
		"meet segments that end and sessions that are sealed; in %d rounds the kill found a long session moved to a file of its own.", t.moved)
	r.Note("A kill leaves the page cache alone: this proves the order of writing and recovery, not the disk's own promise.")
	if failed := t.lost + t.wrong + t.unlisted + t.unplayable + damaged; failed > 0 {
		return fmt.Errorf("%d faults", failed)
	}
	return nil
}

// crash has a process record for a random time, kills it, and returns everything that it acknowledged.
func crash(r *benchkit.Run, dir string) (map[session.ID]*acknowledged, error) {
	child, err := r.Spawn("record")
	if err != nil {
		return nil, err
	}
	defer child.Close()
	if err := child.Send(dir); err != nil {
		return nil, err
	}
	acks := map[session.ID]*acknowledged{}
	for {
		var a ack
		if err := child.Receive(&a); err != nil {
			if len(acks) == 0 {
				return nil, fmt.Errorf("it ended before it acknowledged anything: %w", err)
			}
			return acks, nil // killed, and all that it said is read
		}
		if len(acks) == 0 {
			after := time.Millisecond + time.Duration(rand.Int64N(int64(79*time.Millisecond)))
			time.AfterFunc(after, func() { syscall.Kill(child.PID(), syscall.SIGKILL) })
		}
		at := acks[a.ID]
		if at == nil {
			at = &acknowledged{}
			acks[a.ID] = at
		}
		at.start, at.number = a.Start, max(at.number, a.Number)
	}
}
