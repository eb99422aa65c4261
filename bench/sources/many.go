//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

// openers are how many sessions are opened at once.
const openers = 32

// openMany opens sessions of a source, each of an id of its own, and returns their ids here.
func openMany(r *benchkit.Run, server *benchkit.Server, source string, n int) ([]string, error) {
	ids, errs := make([]string, n), make([]error, n)
	next := make(chan int)
	var wg sync.WaitGroup
	for range openers {
		wg.Go(func() {
			for i := range next {
				ids[i], errs[i] = open(server, fmt.Sprintf("%s:on-%d", source, i))
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return ids, errors.Join(errs...)
}

// many has one source stream its sessions, first with nobody who watches, then each with a watcher of its own.
func many(r *benchkit.Run) error {
	for _, watched := range []bool{false, true} {
		if err := stream(r, watched); err != nil {
			return err
		}
	}
	return nil
}

func stream(r *benchkit.Run, watched bool) error {
	source, addr, err := spawnSource(r)
	if err != nil {
		return err
	}
	defer source.Close()
	server, err := r.Server(benchkit.ServerOptions{Config: configure(fmt.Sprintf(", linger: 1h, max_sessions: %d", *sessions),
		map[string]string{"many": addr})})
	if err != nil {
		return err
	}
	r.Progress("opening %d sessions", *sessions)
	began := time.Now()
	ids, err := openMany(r, server, "many", *sessions)
	if err != nil {
		return err
	}
	opening := time.Since(began)
	var watchers *benchkit.Child
	if watched {
		if watchers, err = attach(r, server, ids); err != nil {
			return err
		}
		defer watchers.Close()
	}
	r.Progress("%d sessions, %d frames/s each, watched: %v", *sessions, *rate, watched)
	wait := server.Profile(fmt.Sprintf("sources-many-%v", watched), *lasts)
	before, err := benchkit.CPU(server.PID())
	if err != nil {
		return err
	}
	var rep sourceReport
	start := time.Now()
	if err := source.Call(sourceOrder{Do: "stream", Rate: *rate, Size: *size, Lasts: *lasts}, &rep); err != nil {
		return err
	}
	took := time.Since(start)
	after, err := benchkit.CPU(server.PID())
	if err != nil {
		return err
	}
	wait()
	name := fmt.Sprintf("%d sessions, %d frames/s each", *sessions, *rate)
	if watched {
		name += ", each watched"
		if err := caughtUp(r, watchers, rep, name); err != nil {
			return err
		}
	}
	lost, err := compare(r, server, source, rep)
	if err != nil {
		return err
	}
	r.Add(benchkit.Row{Name: name + ": frames", Ours: benchkit.One(float64(rep.Frames) / took.Seconds()), Unit: benchkit.PerSecond,
		Target: benchkit.AtLeast(0.99*float64(*sessions**rate), benchkit.PerSecond)})
	r.Add(benchkit.Row{Name: name + ": frames that are not on record", Ours: benchkit.One(float64(lost)), Unit: benchkit.Number,
		Target: benchkit.Exactly(0, benchkit.Number)})
	r.Add(benchkit.Row{Name: name + ": server's CPU, of one core", Ours: benchkit.One((after - before).Seconds() / took.Seconds()), Unit: benchkit.PercentOf1})
	r.Note("%s: they were opened in %s, %d at once. The source was late by at most %s, and a socket took a frame in parts %d times.",
		name, benchkit.Seconds(opening.Seconds()), openers, benchkit.Millis(rep.Late), rep.Waited)
	_, err = server.Stop()
	return err
}

// compare ends all sessions, and compares what is on record of each with what was sent.
func compare(r *benchkit.Run, server *benchkit.Server, source *benchkit.Child, rep sourceReport) (lost uint64, err error) {
	if err := source.Call(sourceOrder{Do: "end"}, nil); err != nil {
		return 0, err
	}
	if err := server.WaitLive("many", 0, 20*time.Second); err != nil {
		return 0, err
	}
	list, err := server.Sessions(url.Values{"listener": {"many"}, "state": {"recorded"}})
	if err != nil {
		return 0, err
	}
	var bytes uint64
	for _, sum := range list {
		bytes += sum.SentBytes
	}
	want := rep.Frames*uint64(*size) + uint64(*sessions*len(helloText))
	if len(list) != *sessions || bytes > want {
		return 0, fmt.Errorf("%d sessions with %d bytes are on record: %d with %d were sent", len(list), bytes, *sessions, want)
	}
	return (want - bytes) / uint64(*size), nil
}

// attach has each session watched from its next event on, by a process of its own.
func attach(r *benchkit.Run, server *benchkit.Server, ids []string) (*benchkit.Child, error) {
	r.Progress("attaching %d watchers", len(ids))
	c, err := r.Spawn(watchersRole)
	if err != nil {
		return nil, err
	}
	order := watchOrder{Do: "attach", Addr: strings.TrimPrefix(server.URL, "http://"), Token: server.Token, IDs: ids}
	return c, c.Call(order, nil)
}

// caughtUp waits until the watchers have seen all that was sent.
func caughtUp(r *benchkit.Run, watchers *benchkit.Child, rep sourceReport, name string) error {
	var seen watchReport
	want := rep.Frames + uint64(*sessions) // and what each showed first
	start := time.Now()
	err := benchkit.Until(r.Context, 20*time.Second, "the watchers see all", func() (bool, error) {
		err := watchers.Call(watchOrder{Do: "count"}, &seen)
		return seen.Frames >= want, err
	})
	if err != nil {
		return fmt.Errorf("%w: they saw %d frames of %d, %d streams are closed", err, seen.Frames, want, seen.Closed)
	}
	if seen.Jumps != 0 {
		return fmt.Errorf("%d times the watchers did not see the next event", seen.Jumps)
	}
	r.Add(benchkit.Row{Name: name + ": the last watcher is behind by", Ours: benchkit.One(time.Since(start).Seconds()), Unit: benchkit.Millis})
	return nil
}
