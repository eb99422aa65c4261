//go:build linux

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	keystrokes = 400    // of each way in a round
	addedLimit = 300e-6 // seconds
)

// A typist types at a program behind a way.
type typist struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.Reader
}

// sit starts a program in a terminal there that says back what is typed.
func (b *bench) sit(way string) (*typist, error) {
	t := &typist{cmd: b.command(way, "ssh", "-tt", "127.0.0.1", "stty raw -echo; echo ready; exec cat")}
	var err error
	if t.in, err = t.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if t.out, err = t.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	b.Cleanup(t.leave)
	ready := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(t.out, ready); err != nil || string(ready) != "ready\n" {
		return nil, fmt.Errorf("%s: the program said %q: %v", way, ready, err)
	}
	return t, nil
}

func (t *typist) leave() {
	t.in.Close()
	t.cmd.Process.Kill()
	t.cmd.Wait()
}

// key types a key, and tells how long it takes until the program has said it back.
func (t *typist) key(k byte) (time.Duration, error) {
	began := time.Now()
	if _, err := t.in.Write([]byte{k}); err != nil {
		return 0, err
	}
	var back [1]byte
	if _, err := io.ReadFull(t.out, back[:]); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if back[0] != k {
		return 0, fmt.Errorf("%q was typed, and %q came back", k, back[0])
	}
	return took, nil
}

// keys is how long a key takes to the program and back. The ways take turns key by key.
func (b *bench) keys() error {
	typists := map[string]*typist{}
	for _, way := range ways {
		t, err := b.sit(way)
		if err != nil {
			return err
		}
		typists[way] = t
	}
	p50, p99 := map[string]benchkit.Series{}, map[string]benchkit.Series{}
	for round := range *rounds {
		b.Progress("keys, round %d of %d", round+1, *rounds)
		times := map[string]*benchkit.Times{}
		for _, way := range ways {
			times[way] = &benchkit.Times{}
		}
		for i := range keystrokes {
			for _, k := range rand.Perm(len(ways)) {
				if err := benchkit.Sleep(b.Context, time.Millisecond+rand.N(3*time.Millisecond)); err != nil {
					return err
				}
				took, err := typists[ways[k]].key('a' + byte(i%26))
				if err != nil {
					return fmt.Errorf("%s: %w", ways[k], err)
				}
				times[ways[k]].Add(took)
			}
		}
		for _, way := range ways {
			p50[way] = append(p50[way], times[way].Percentile(0.50).Seconds())
			p99[way] = append(p99[way], times[way].Percentile(0.99).Seconds())
		}
	}
	for _, t := range typists {
		t.leave()
	}
	for _, way := range ways[1:] {
		target := benchkit.Target{}
		if way != bare {
			target = benchkit.AtMost(addedLimit, benchkit.Micros)
		}
		b.Add(benchkit.Row{Name: "keystroke and back, added p50, " + way, Ours: p50[way].Less(p50[direct]), Unit: benchkit.Micros, Target: target})
	}
	for _, way := range ways[1:] {
		b.Add(benchkit.Row{Name: "keystroke and back, p50, " + way, Ours: p50[way], Peer: p50[direct], PeerName: direct, Unit: benchkit.Micros})
		b.Add(benchkit.Row{Name: "keystroke and back, p99, " + way, Ours: p99[way], Peer: p99[direct], PeerName: direct, Unit: benchkit.Micros})
	}
	b.Note("Keystrokes go through `ssh -tt` to `cat` in a terminal and back, 1 to 4 ms apart, %d of each way in a round, the ways in turns.", keystrokes)
	return nil
}
