//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// fan has many messages under way: what a server can do when it may join them.
func fan(l *load) (figures, error) {
	return l.talk(crowdOrder{Size: messageSize, Outstanding: outstanding})
}

// turns says the next message when all have the last one: every delivery is a write of its own.
func turns(l *load) (figures, error) {
	return l.talk(crowdOrder{Size: messageSize, Outstanding: 1})
}

// pace says messages by the clock, whether the server follows or not. A latency begins when the message was due.
func pace(l *load) (figures, error) {
	return l.talk(crowdOrder{Size: messageSize, Rate: paceRate})
}

func (l *load) talk(o crowdOrder) (figures, error) {
	if err := l.openAll(receivers); err != nil {
		return nil, err
	}
	o.Do, o.WarmUp, o.Lasts = "talk", warmUp, lasts
	rep, cpu, err := l.order(o)
	if err != nil {
		return nil, err
	}
	if rep.Delivered != rep.Due {
		return nil, fmt.Errorf("%d of %d deliveries came", rep.Delivered, rep.Due)
	}
	f := figures{"p50": rep.P50, "p99": rep.P99, "max": rep.Max, "last p50": rep.LastP50, "last p99": rep.LastP99,
		"rate": float64(rep.Counted) / rep.Seconds, "cpu": cpu.Seconds() / float64(rep.Delivered),
		"client": rep.CPU / float64(rep.Delivered)}
	if o.Rate > 0 {
		f["rate"] /= receivers
	}
	return f, nil
}

func idle(l *load) (figures, error) {
	if err := benchkit.Sleep(l.Context, 500*time.Millisecond); err != nil {
		return nil, err
	}
	collect := l.server.collect
	if collect == nil {
		collect = func() error { return nil }
	}
	if err := collect(); err != nil {
		return nil, err
	}
	base, err := benchkit.SettledRSS(l.Context, l.server.pid, 3*time.Second)
	if err != nil {
		return nil, err
	}
	if err := l.openAll(idlers); err != nil {
		return nil, err
	}
	// what reads of a connection may be kept for a second
	if err := benchkit.Sleep(l.Context, 1500*time.Millisecond); err != nil {
		return nil, err
	}
	asIs, err := benchkit.SettledRSS(l.Context, l.server.pid, 3*time.Second)
	if err != nil {
		return nil, err
	}
	f := figures{"as is": float64(asIs-base) / idlers}
	if l.server.collect == nil {
		return f, nil
	}
	if err := collect(); err != nil {
		return nil, err
	}
	collected, err := benchkit.SettledRSS(l.Context, l.server.pid, 3*time.Second)
	f["collected"] = float64(collected-base) / idlers
	return f, err
}

// shake has clients come as fast as they are let in. Lost is who did not come in, or did not get the message that was
// said when all were there.
func shake(l *load) (figures, error) {
	profiled := l.profile(time.Second)
	rep, cpu, err := l.open(handshakes - 1)
	profiled()
	if err != nil {
		return nil, err
	}
	if rep.Error != "" {
		l.Note("handshakes: %s: %d failed: %s", l.side.title, rep.Failed, rep.Error)
	}
	return figures{"lost": float64(handshakes - 1 - rep.Reached), "cpu": cpu.Seconds() / handshakes,
		"rate": float64(rep.Opened) / rep.Seconds}, nil
}

// stalled has some receivers read no more, after a while in which all did.
func stalled(l *load) (figures, error) {
	if err := l.openAll(stallAll); err != nil {
		return nil, err
	}
	talk := crowdOrder{Do: "talk", Size: stallSize, Rate: stallRate, WarmUp: 2 * time.Second, Lasts: 3 * time.Second}
	before, peakBefore, err := l.watched(talk)
	if err != nil {
		return nil, err
	}
	if err := l.crowd.Call(crowdOrder{Do: "stall", Count: stallers}, nil); err != nil {
		return nil, err
	}
	after, peak, err := l.watched(talk)
	if err != nil {
		return nil, err
	}
	return figures{"grew": float64(peak-peakBefore) / stallers,
		"p50 before": before.P50, "p50": after.P50, "p99 before": before.P99, "p99": after.P99,
		"delivered": float64(after.Delivered) / float64(after.Due)}, nil
}

// watched is order that also returns the most memory that was resident meanwhile.
func (l *load) watched(o crowdOrder) (rep crowdReport, peak int64, err error) {
	stop, stopped := make(chan struct{}), make(chan error)
	go func() { // ends with stop
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				stopped <- nil
				return
			case <-tick.C:
			}
			rss, err := benchkit.RSS(l.server.pid)
			if err != nil {
				stopped <- err
				return
			}
			peak = max(peak, rss)
		}
	}()
	rep, _, err = l.order(o)
	close(stop)
	if failed := <-stopped; err == nil {
		err = failed
	}
	return rep, peak, err
}

// cutOff breaks all connections at once, while messages are being said.
func cutOff(l *load) (figures, error) {
	if err := l.openAll(dropped); err != nil {
		return nil, err
	}
	rep, cpu, err := l.order(crowdOrder{Do: "drop", Size: messageSize, Rate: dropRate, WarmUp: warmUp,
		Lasts: 5 * time.Second, Away: dropAway, InFlight: inFlight})
	if err != nil {
		return nil, err
	}
	if rep.Failed > 0 {
		l.Note("drop: %s: %d attempts failed and were repeated: %s", l.side.title, rep.Failed, rep.Error)
	}
	return figures{"recovered": float64(rep.Recovered), "lost": float64(rep.Lost), "twice": float64(rep.Twice),
		"back p50": rep.BackP50, "back p99": rep.BackP99, "back max": rep.BackMax, "cpu": cpu.Seconds() / dropped}, nil
}
