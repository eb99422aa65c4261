//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	commandRate = 1_000 // a second
	posters     = 32    // requests of HTTP that are under way at once
)

// commands takes the time from a command until the device's answer is with Switchboard, and back at the web server.
func commands(r *benchkit.Run) error {
	s, err := startServer(r, setup{framing: pieces, more: "      command: {ack: {by: echo}}"})
	if err != nil {
		return err
	}
	l, err := spawnLoad(r)
	if err != nil {
		return err
	}
	defer l.Close()
	n := min(1_000, *devices)
	c := config(s.addr, n, 0)
	c.Commands = true
	if _, err := l.do(order{Do: "link", Addr: s.addr}, order{Do: "begin", Config: c}, order{Do: "pause"}); err != nil {
		return err
	}
	count := int(float64(commandRate) * lasting(10*time.Second).Seconds())
	for i, way := range []struct{ do, name string }{{"command", "by the link"}, {"post", "by REST"}} {
		r.Progress("%d commands %s", count, way.name)
		wait := s.Profile("devices-commands-"+way.do, lasting(10*time.Second))
		rep, err := l.order(order{Do: way.do, URL: s.URL, Token: s.Token, Count: count, Rate: commandRate, First: i * count})
		if err != nil {
			return err
		}
		wait()
		if rep.Done != count {
			return fmt.Errorf("%s: %d of %d commands were acknowledged", way.name, rep.Done, count)
		}
		name := fmt.Sprintf("%d commands/s %s, acknowledged", commandRate, way.name)
		r.Add(benchkit.Row{Name: name + ": median", Ours: benchkit.One(rep.Took.P50), Unit: benchkit.Millis})
		r.Add(benchkit.Row{Name: name + ": p99", Ours: benchkit.One(rep.Took.P99), Unit: benchkit.Millis, Target: benchkit.AtMost(0.02, benchkit.Millis)})
	}
	rep, err := l.order(order{Do: "end"})
	if err != nil {
		return err
	}
	if rep.Counts.Commands != uint64(2*count) {
		return fmt.Errorf("the devices got %d commands of %d", rep.Counts.Commands, 2*count)
	}
	r.Note("commands: to %d devices in turn, which echo them; each is on disk before it is written. By the link the time ends when the web server has the line "+
		"that says so, by REST with answered_at. Devices got each command once.", n)
	_, err = s.Stop()
	return err
}

// pending are commands that are under way.
type pending struct {
	mu   sync.Mutex
	sent map[string]time.Time // by id
	took *benchkit.Times
	done int
	all  chan struct{} // closed when there are no more
	left int
	err  error
}

func newPending(n int) *pending {
	return &pending{sent: map[string]time.Time{}, took: &benchkit.Times{}, all: make(chan struct{}), left: n}
}

func (p *pending) begin(id string) {
	p.mu.Lock()
	p.sent[id] = time.Now()
	p.mu.Unlock()
}

// end counts one, with an error if it was not acknowledged.
func (p *pending) end(id string, at time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && p.err == nil {
		p.err = err
	}
	if err == nil {
		p.took.Add(at.Sub(p.sent[id]))
		p.done++
	}
	if p.left--; p.left == 0 {
		close(p.all)
	}
}

// command writes commands on the link, and reads what becomes of them.
func (l *loader) command(o order) (times, int, error) {
	p := newPending(o.Count)
	l.web.listen(func(line []byte) {
		at := time.Now()
		var a struct{ ID, State, Error string }
		if err := json.Unmarshal(line, &a); err != nil {
			p.end("", at, fmt.Errorf("the link said %.200q", line))
			return
		}
		switch state := device.CommandState(a.State); {
		case a.Error != "":
			p.end(a.ID, at, errors.New(a.Error))
		case state == device.Acknowledged:
			p.end(a.ID, at, nil)
		case state.Over():
			p.end(a.ID, at, fmt.Errorf("command %s is %s", a.ID, state))
		}
	})
	defer l.web.listen(nil)
	var line []byte
	err := paced(o, func(i int) error {
		id := fmt.Sprintf("link-%d", i)
		line = fmt.Appendf(line[:0], `{"name":%q,"data":"set %s","id":%q}`+"\n", l.nameOf(i), id, id)
		p.begin(id)
		_, err := l.web.conn.Write(line)
		return err
	})
	if err == nil {
		select {
		case <-p.all:
		case <-time.After(time.Minute):
			err = errors.New("not all commands are over within a minute")
		}
	}
	return p.result(err)
}

func (p *pending) result(err error) (times, int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return timesOf(p.took), p.done, errors.Join(err, p.err)
}

// nameOf is the name of the device whose turn it is.
func (l *loader) nameOf(i int) string { return l.fleet.Name(i % l.fleet.Counts().Devices) }

// paced calls each in its time.
func paced(o order, each func(i int) error) error {
	start := time.Now()
	for i := range o.Count {
		if d := time.Until(start.Add(time.Duration(float64(i) / o.Rate * float64(time.Second)))); d > 0 {
			time.Sleep(d)
		}
		if err := each(o.First + i); err != nil {
			return err
		}
	}
	return nil
}

// post sends commands over REST, and asks afterwards when they were acknowledged.
func (l *loader) post(o order) (times, int, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: posters}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	ask := func(method, path string, body []byte, into any) error {
		req, err := http.NewRequest(method, o.URL+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+o.Token)
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode/100 != 2 {
			err = fmt.Errorf("%s %s: %s: %.200s", method, path, resp.Status, text)
		}
		if err != nil || into == nil {
			return err
		}
		return json.Unmarshal(text, into)
	}
	p := newPending(o.Count)
	turns, failed := make(chan int), make([]error, posters)
	var running sync.WaitGroup
	for w := range posters {
		running.Go(func() {
			for i := range turns {
				id := fmt.Sprintf("rest-%d", i)
				p.begin(id)
				body := fmt.Appendf(nil, `{"name":%q,"data":"set %s","id":%q}`, l.nameOf(i), id, id)
				if err := ask(http.MethodPost, "/api/v1/commands", body, nil); err != nil && failed[w] == nil {
					failed[w] = err
				}
			}
		})
	}
	err := paced(o, func(i int) error { turns <- i; return nil })
	close(turns)
	running.Wait()
	if err = errors.Join(append(failed, err)...); err != nil {
		return p.result(err)
	}
	time.Sleep(2 * time.Second) // for the last
	for i := range min(o.Count, l.fleet.Counts().Devices) {
		var list struct{ Commands []device.Command }
		if err := ask(http.MethodGet, "/api/v1/commands?limit=1000&name="+url.QueryEscape(l.nameOf(i)), nil, &list); err != nil {
			return p.result(err)
		}
		for _, c := range list.Commands {
			if p.knows(c.ID) && c.State == device.Acknowledged {
				p.end(c.ID, time.UnixMicro(c.AnsweredAt), nil)
			}
		}
	}
	return p.result(nil)
}

func (p *pending) knows(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.sent[id]
	return ok
}

// listen has answers to commands taken.
func (w *web) listen(answers func(line []byte)) {
	w.mu.Lock()
	w.answers = answers
	w.mu.Unlock()
}
