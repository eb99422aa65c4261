//go:build linux

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/simulate"
)

const rests = 5 // at which the fleet is quiet

// wholeFleet has many devices do all that devices do, and compares what the server says with what they did at each rest.
func wholeFleet(r *benchkit.Run) error {
	s, err := startServer(r, setup{framing: pieces})
	if err != nil {
		return err
	}
	l, err := spawnLoad(r)
	if err != nil {
		return err
	}
	defer l.Close()
	c := config(s.addr, *devices, 0.2)
	c.Reconnects, c.Duplicates, c.Floods, c.BlackHoles, c.Drip = 0.5, 0.3, 0.01, 0.1, 0.02
	c.Black = 5 * time.Second
	vanish := 0.2
	c.Vanish = vanish
	if _, err := simulate.New(*c); err != nil {
		c.Vanish = 0
		r.Note("fleet: nobody vanishes without a word: %v.", err)
	}
	if _, err := l.do(order{Do: "link", Addr: s.addr}, order{Do: "begin", Config: c}, order{Do: "pause", Limit: 3 * time.Minute}); err != nil {
		return err
	}
	var memory, heap benchkit.Series
	var each []string
	var rep report
	for rest := range rests {
		if _, err := l.order(order{Do: "resume"}); err != nil {
			return err
		}
		r.Progress("fleet: %d of %d", rest+1, rests)
		if err := benchkit.Sleep(r.Context, lasting(time.Minute)/rests); err != nil {
			return err
		}
		r.Progress("fleet: rest %d of %d", rest+1, rests)
		if rep, err = l.order(order{Do: "pause", Limit: 3 * time.Minute}); err != nil {
			return err
		}
		if err := s.waitOnline(r, int(rep.Counts.Online), time.Minute); err != nil {
			return fmt.Errorf("rest %d: %w", rest+1, err)
		}
		if err := l.nothingLost(r, s); err != nil {
			return fmt.Errorf("rest %d: %w", rest+1, err)
		}
		n, rss, err := resting(r, s)
		if err != nil {
			return err
		}
		heap, memory = append(heap, n), append(memory, rss)
		each = append(each, fmt.Sprintf("%s (heap %s)", benchkit.MiB(rss), benchkit.MiB(n)))
	}
	if rep, err = l.order(order{Do: "check"}); err != nil {
		return err
	}
	counts, verdict := rep.Counts, rep.Verdict
	name := fmt.Sprintf("fleet of %d, %v: ", *devices, lasting(time.Minute))
	r.Add(benchkit.Row{Name: name + "rests at which the server's count was ours", Ours: benchkit.One(rests), Unit: benchkit.Number, Target: benchkit.Exactly(rests, benchkit.Number)})
	r.Add(benchkit.Row{Name: name + "lost", Ours: benchkit.One(float64(verdict.Lost)), Unit: benchkit.Number, Target: benchkit.Exactly(0, benchkit.Number)})
	r.Add(benchkit.Row{Name: name + "resident memory at the last rest", Ours: benchkit.One(memory[rests-1]), Peer: benchkit.One(memory[1]), PeerName: "second", Unit: benchkit.MiB,
		Target: benchkit.RatioAtMost(1.1)})
	r.Add(benchkit.Row{Name: name + "heap at the last rest", Ours: benchkit.One(heap[rests-1]), Peer: benchkit.One(heap[1]), PeerName: "second", Unit: benchkit.MiB,
		Target: benchkit.RatioAtMost(1.1)})
	r.Note("fleet: %d connections, %d registrations, %d messages, %d bytes; %d reconnects, %d second connections, %d floods, %d black holes, %d vanished. "+
		"The server ended %v. All bytes that it had received were at the web server; %d messages never left connections that broke. Resident memory at "+
		"the rests: %s.",
		counts.Connects, counts.Registered, counts.Messages, counts.Sent, counts.Reconnects, counts.Duplicates, counts.Floods, counts.BlackHoles, counts.Vanished,
		counts.Ended, verdict.Torn, strings.Join(each, ", "))
	if _, err := l.order(order{Do: "end"}); err != nil {
		return err
	}
	if err := s.waitOnline(r, 0, time.Minute); err != nil {
		return err
	}
	_, err = s.Stop()
	return err
}

// nothingLost waits until the web server was told of all bytes that the server has received, and of each message whose
// connection did not break.
func (l *load) nothingLost(r *benchkit.Run, s *server) error {
	var rep report
	var received uint64
	err := benchkit.Until(r.Context, 2*time.Minute, "all is at the web server", func() (bool, error) {
		var err error
		if rep, err = l.order(order{Do: "check"}); err != nil || rep.Verdict.Lost > 0 {
			return false, err
		}
		verdict := rep.Verdict
		if received, err = s.received(); err != nil {
			return false, err
		}
		rep, err = l.order(order{Do: "look"})
		rep.Verdict = verdict
		return rep.Came.Data == received, err
	})
	if err != nil {
		return fmt.Errorf("%w: %+v; %d bytes of %d", err, rep.Verdict, rep.Came.Data, received)
	}
	if v := rep.Verdict; v.Duplicates+v.Disordered != 0 {
		return fmt.Errorf("not each once, and in order: %+v", v)
	}
	return nil
}

// resting is what the server holds when it has nothing to do: its heap, and its resident memory.
func resting(r *benchkit.Run, s *server) (heap, rss float64, err error) {
	if err := s.Collect(); err != nil {
		return 0, 0, err
	}
	resident, err := benchkit.SettledRSS(r.Context, s.PID(), 5*time.Second)
	if err != nil {
		return 0, 0, err
	}
	if err := s.Collect(); err != nil {
		return 0, 0, err
	}
	n, err := s.Heap()
	return float64(n), float64(resident), err
}

// storm has all devices connect at once, as after a power cut.
func storm(r *benchkit.Run) error {
	s, err := startServer(r, setup{framing: pieces})
	if err != nil {
		return err
	}
	l, err := spawnLoad(r)
	if err != nil {
		return err
	}
	defer l.Close()
	c := config(s.addr, *devices, 0)
	c.Dials = 4_000
	r.Progress("%d devices connect at once", *devices)
	start := time.Now()
	rep, err := l.do(order{Do: "link", Addr: s.addr}, order{Do: "begin", Config: c}, order{Do: "pause", Limit: 2 * time.Minute})
	if err != nil {
		return err
	}
	sent := time.Since(start)
	if err := s.waitOnline(r, *devices, time.Minute); err != nil {
		return err
	}
	registered := time.Since(start)
	err = benchkit.Until(r.Context, time.Minute, "the web server was told of all", func() (bool, error) {
		var err error
		rep, err = l.order(order{Do: "look"})
		return rep.Came.Registrations == uint64(*devices), err
	})
	if err != nil {
		return err
	}
	if len(rep.Counts.Failed)+len(rep.Counts.Ended) > 0 {
		return errors.New("some devices were not accepted: " + fmt.Sprint(rep.Counts.Failed, rep.Counts.Ended))
	}
	r.Add(benchkit.Row{Name: fmt.Sprintf("%d devices at once, all registered and told to the web server", *devices), Ours: benchkit.One(time.Since(start).Seconds()),
		Unit: benchkit.Seconds})
	r.Note("storm: all had written their names after %s, and the server's count was right after %s; none failed, and none had to come again.",
		benchkit.Seconds(sent.Seconds()), benchkit.Seconds(registered.Seconds()))
	if _, err := l.order(order{Do: "end"}); err != nil {
		return err
	}
	_, err = s.Stop()
	return err
}
