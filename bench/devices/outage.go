//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const outageRate = 2_000 // messages a second

// outage takes the target away for a while, and looks at what comes once it is back.
func outage(r *benchkit.Run) error {
	for _, way := range []string{"link", "http"} {
		if err := takeAway(r, way); err != nil {
			return fmt.Errorf("%s: %w", way, err)
		}
	}
	return nil
}

func takeAway(r *benchkit.Run, way string) error {
	l, err := spawnLoad(r)
	if err != nil {
		return err
	}
	defer l.Close()
	c := setup{framing: lines}
	there, gone := order{Do: "link"}, order{Do: "unlink"}
	if way == "http" {
		rep, err := l.order(order{Do: "hook"})
		if err != nil {
			return err
		}
		there, gone = order{Do: "hook", Addr: rep.Addr}, order{Do: "unhook"}
		c.hook = "http://" + rep.Addr + "/messages"
	}
	s, err := startServer(r, c)
	if err != nil {
		return err
	}
	if way == "link" {
		there.Addr = s.addr
		if _, err := l.order(there); err != nil {
			return err
		}
	}
	n := min(talkers, *devices)
	if _, err := l.do(order{Do: "begin", Config: config(s.addr, n, outageRate/float64(n))}, order{Do: "pause"}, order{Do: "resume"}); err != nil {
		return err
	}
	if err := benchkit.Sleep(r.Context, 2*time.Second); err != nil {
		return err
	}
	before, err := benchkit.RSS(s.PID())
	if err != nil {
		return err
	}
	if _, err := l.order(gone); err != nil {
		return err
	}
	for left := *away; left > 0; left -= time.Second {
		r.Progress("%s: away for %v more", way, left)
		if err := benchkit.Sleep(r.Context, min(left, time.Second)); err != nil {
			return err
		}
	}
	during, err := benchkit.RSS(s.PID())
	if err != nil {
		return err
	}
	rep, err := l.order(order{Do: "look"})
	if err != nil {
		return err
	}
	said, came := rep.Counts.Messages, rep.Came.Messages
	back := time.Now()
	if _, err := l.order(there); err != nil {
		return err
	}
	err = benchkit.Until(r.Context, time.Minute, "the first comes", func() (bool, error) {
		rep, err = l.order(order{Do: "look"})
		return rep.Came.Messages > came, err
	})
	if err != nil {
		return err
	}
	start := time.Now()
	waited, first := start.Sub(back), rep.Came.Messages
	err = benchkit.Until(r.Context, *away+time.Minute, "what waited is delivered", func() (bool, error) {
		rep, err = l.order(order{Do: "look"})
		return rep.Came.Messages-rep.Came.Registrations >= said, err
	})
	if err != nil {
		return fmt.Errorf("%w: %d of %d came", err, rep.Came.Messages, said)
	}
	speed := float64(rep.Came.Messages-first) / time.Since(start).Seconds()
	if _, err := l.order(order{Do: "pause"}); err != nil {
		return err
	}
	repeated, err := l.allCameAtLeastOnce(r)
	if err != nil {
		return err
	}
	if err := s.Collect(); err != nil {
		return err
	}
	after, err := benchkit.SettledRSS(r.Context, s.PID(), 4*time.Second)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s away for %v at %d messages/s: ", way, *away, outageRate)
	r.Add(benchkit.Row{Name: name + "delivered after that", Ours: benchkit.One(speed), Unit: benchkit.PerSecond, Target: benchkit.AtLeast(5*outageRate, benchkit.PerSecond)})
	r.Add(benchkit.Row{Name: name + "lost", Ours: benchkit.One(0), Unit: benchkit.Number, Target: benchkit.Exactly(0, benchkit.Number)})
	r.Add(benchkit.Row{Name: name + "resident memory", Ours: benchkit.One(float64(during)), Peer: benchkit.One(float64(before)), PeerName: "before", Unit: benchkit.MiB})
	r.Note("outage, %s: %d messages waited; the first came %s after the target was back, from which on the rate is taken; devices went on meanwhile. %d came twice. "+
		"Resident memory after all: %s.", way, said+uint64(n)-min(said, came), benchkit.Seconds(waited.Seconds()), repeated, benchkit.MiB(float64(after)))
	if _, err := l.order(order{Do: "end"}); err != nil {
		return err
	}
	_, err = s.Stop()
	return err
}

// allCameAtLeastOnce waits until all that the devices said is there, and tells how much of it came again.
func (l *load) allCameAtLeastOnce(r *benchkit.Run) (repeated uint64, err error) {
	var rep report
	err = benchkit.Until(r.Context, 2*time.Minute, "all is at the target", func() (bool, error) {
		var err error
		rep, err = l.order(order{Do: "check"})
		return rep.Verdict.Lost+rep.Verdict.Torn == 0 && rep.Verdict.Messages == rep.Counts.Messages, err
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %+v", err, rep.Verdict)
	}
	if rep.Verdict.Disordered != 0 || rep.Verdict.Example != "" {
		return 0, fmt.Errorf("not in order: %+v", rep.Verdict)
	}
	return rep.Verdict.Duplicates, nil
}
