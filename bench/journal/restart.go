//go:build linux

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

const (
	idleLogs   = 2000
	sealedSize = 16 << 20 // of one sealed recording
	openShare  = 0.25     // of the folder, at most maxOpen: in the journal when the kill comes
	maxOpen    = 900 << 20
)

// order is a folder to fill.
type order struct {
	Dir   string
	Bytes int64
}

// filled is what is in it.
type filled struct {
	Bytes int64        // on disk
	Open  []session.ID // not ended
}

// opened is what a start found.
type opened struct {
	Seconds float64      // until Open returned
	Peak    int64        // resident memory, the most until then, bytes
	Known   []session.ID // listed, or already sealed
	Settled float64      // seconds until all of them were
	After   int64        // the most resident memory until then
}

// restarting opens a big folder as a kill left it.
func restarting(r *benchkit.Run) error {
	dir := filepath.Join(r.Dir, "restart")
	r.Progress("a data folder of %.0f GB", *size)
	writer, err := r.Spawn("prepare")
	if err != nil {
		return err
	}
	var kept filled
	if err := writer.Call(order{Dir: dir, Bytes: int64(*size * 1e9)}, &kept); err != nil {
		return err
	}
	if err := syscall.Kill(writer.PID(), syscall.SIGKILL); err != nil {
		return err
	}
	writer.Close()
	r.Progress("restart")
	reader, err := r.Spawn("restart")
	if err != nil {
		return err
	}
	defer reader.Close()
	var o opened
	if err := reader.Call(dir, &o); err != nil {
		return err
	}
	name := fmt.Sprintf("restart after kill -9 with %.1f GB", float64(kept.Bytes)/1e9)
	r.Add(benchkit.Row{Name: name, Ours: benchkit.One(o.Seconds), Unit: benchkit.Seconds, Target: benchkit.AtMost(1, benchkit.Seconds)})
	r.Add(benchkit.Row{Name: name + ", memory", Ours: benchkit.One(float64(o.Peak)), Unit: benchkit.MiB,
		Target: benchkit.AtMost(100<<20, benchkit.MiB)})
	r.Note("At the kill %d sessions were open, with %.0f MB of the folder in the journal. All were listed when the store opened; sealing "+
		"them behind took %.1f s and at most %.0f MiB.", len(kept.Open), float64(openBytes(int64(*size*1e9)))/1e6, o.Settled, float64(o.After)/(1<<20))
	for _, id := range kept.Open {
		if !slices.Contains(o.Known, id) {
			return fmt.Errorf("session %s was open at the kill and is not listed after the restart", id)
		}
	}
	return nil
}

func openBytes(total int64) int64 { return min(int64(openShare*float64(total)), maxOpen) }

// prepare fills a folder with sealed recordings, and with sessions that are open; then it waits to be killed.
func prepare(p *benchkit.Parent) error {
	var o order
	if err := p.Next(&o); err != nil {
		return err
	}
	store, err := open(o.Dir)
	if err != nil {
		return err
	}
	data := benchkit.Random(bareWrite)
	for n := int64(0); n < o.Bytes-openBytes(o.Bytes); n += sealedSize {
		log, _, err := begin(store, session.RecordOn)
		if err != nil {
			return err
		}
		if err := fill(log, data, sealedSize); err != nil {
			return err
		}
		log.End(done())
	}
	for len(store.Pending()) > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	var logs []*recording.Log
	kept := filled{}
	for range idleLogs + bulkLogs {
		log, info, err := begin(store, session.RecordOn)
		if err != nil {
			return err
		}
		logs, kept.Open = append(logs, log), append(kept.Open, info.ID)
	}
	for _, log := range logs[:bulkLogs] {
		if err := fill(log, data, openBytes(o.Bytes)/bulkLogs); err != nil {
			return err
		}
	}
	for _, log := range logs {
		log.Flush()
	}
	for store.Stats().QueuedBytes > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	kept.Bytes = used(o.Dir)
	if err := p.Reply(kept); err != nil {
		return err
	}
	return p.Next(&o) // the kill comes first
}

func fill(log *recording.Log, data []byte, size int64) error {
	for n := int64(0); n < size; n += bulkPiece {
		at := n % int64(len(data))
		if _, err := log.Append(session.Received, data[at:at+bulkPiece]); err != nil {
			return err
		}
	}
	return nil
}

func used(dir string) (total int64) {
	filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			total += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	return total
}

// restart opens the folder and says what that took.
func restart(p *benchkit.Parent) error {
	var dir string
	if err := p.Next(&dir); err != nil {
		return err
	}
	var mu sync.Mutex
	known := map[session.ID]bool{} // some may be sealed before they can be listed
	start := time.Now()
	store, err := openTold(dir, func(sum session.Summary) { mu.Lock(); known[sum.ID] = true; mu.Unlock() })
	if err != nil {
		return err
	}
	o := opened{Seconds: time.Since(start).Seconds(), Peak: peak()}
	pending := store.Pending()
	mu.Lock()
	for _, sum := range pending {
		known[sum.ID] = true
	}
	o.Known = slices.Collect(maps.Keys(known))
	mu.Unlock()
	for len(store.Pending()) > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	o.Settled, o.After = time.Since(start).Seconds(), peak()
	if err := p.Reply(o); err != nil {
		return err
	}
	return store.Close()
}

// peak is the most resident memory that this process ever had.
func peak() int64 {
	b, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	line, _, _ := strings.Cut(rest, "kB")
	kb, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return kb << 10
}
