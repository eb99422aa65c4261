//go:build linux

package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// ways are how sessions of a source end in churn, by the beginning of their ids: by a control, by a close without one, or because
// nobody watches any more; and mute ones, which never become any.
var ways = []string{"over", "kicked", "closed", "over", "kicked", "closed", "over", "closed", "left", "mute"}

const churnWarm = 1_000

// churn opens sessions that end in all ways, and looks at what is left of them.
func churn(r *benchkit.Run) error {
	source, addr, err := spawnSource(r)
	if err != nil {
		return err
	}
	defer source.Close()
	server, err := r.Server(benchkit.ServerOptions{Config: configure(", linger: 0s, answer_timeout: 200ms, max_sessions: 20000",
		map[string]string{"many": addr}) + "recording: {sync: none}\n"})
	if err != nil {
		return err
	}
	r.Progress("churn: %d to warm up", churnWarm)
	if _, err := visit(r, server, "warm", churnWarm); err != nil {
		return err
	}
	before, err := restingOf(r, server)
	if err != nil {
		return err
	}
	r.Progress("churn: %d sessions", *visits)
	start := time.Now()
	unanswered, err := visit(r, server, "one", *visits)
	if err != nil {
		return err
	}
	took := time.Since(start)
	after, err := restingOf(r, server)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%d opens and closes: ", *visits)
	r.Add(benchkit.Row{Name: name + "descriptors", Ours: benchkit.One(after.files), Peer: benchkit.One(before.files), PeerName: "before",
		Unit: benchkit.Number, Target: benchkit.AtMost(before.files+4, benchkit.Number)})
	r.Add(benchkit.Row{Name: name + "goroutines", Ours: benchkit.One(after.goroutines), Peer: benchkit.One(before.goroutines), PeerName: "before",
		Unit: benchkit.Number, Target: benchkit.AtMost(before.goroutines+4, benchkit.Number)})
	r.Add(benchkit.Row{Name: name + "heap", Ours: benchkit.One(after.heap), Peer: benchkit.One(before.heap), PeerName: "before",
		Unit: benchkit.MiB, Target: benchkit.RatioAtMost(1.25)})
	r.Add(benchkit.Row{Name: name + "resident memory", Ours: benchkit.One(after.rss), Peer: benchkit.One(before.rss), PeerName: "before", Unit: benchkit.MiB})
	r.Note("churn: %d of %d sessions a second, %d at once; %d were never answered, and as many in a hundred ended because nobody watched any more.",
		int(float64(*visits)/took.Seconds()), *visits, openers, unanswered)
	_, err = server.Stop()
	return err
}

// visit opens sessions, and waits until all have ended and are sealed.
func visit(r *benchkit.Run, server *benchkit.Server, name string, n int) (unanswered int64, err error) {
	var mute atomic.Int64
	errs := make([]error, openers)
	next := make(chan int)
	var wg sync.WaitGroup
	for w := range openers {
		wg.Go(func() {
			for i := range next {
				way := ways[i%len(ways)]
				_, err := open(server, fmt.Sprintf("many:%s-%s-%d", way, name, i))
				if way == "mute" {
					if err == nil {
						err = errors.New("a source that says nothing was opened")
					} else {
						mute.Add(1)
						err = nil
					}
				}
				if errs[w] == nil {
					errs[w] = err
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	return mute.Load(), server.WaitLive("many", 0, 30*time.Second)
}

// resting is what a server holds that has nothing to do.
type resting struct{ files, goroutines, heap, rss float64 }

func restingOf(r *benchkit.Run, server *benchkit.Server) (at resting, err error) {
	if err := benchkit.Sleep(r.Context, 12*time.Second); err != nil { // idle connections of HTTP, and who was held, are let go
		return at, err
	}
	if err := server.Collect(); err != nil {
		return at, err
	}
	rss, err := benchkit.SettledRSS(r.Context, server.PID(), 4*time.Second)
	if err != nil {
		return at, err
	}
	files, err := benchkit.Descriptors(server.PID())
	if err != nil {
		return at, err
	}
	goroutines, err := server.Goroutines()
	if err != nil {
		return at, err
	}
	heap, err := server.Heap()
	return resting{float64(files), float64(goroutines), float64(heap), float64(rss)}, err
}
