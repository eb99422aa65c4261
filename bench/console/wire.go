//go:build linux

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	wireMarks  = 200
	wireOthers = 200
	wireRate   = 20 // events a second of each of the others
	wireLimit  = 0.100
)

// painter is something that shows what it is sent: a page, and the connection over which that comes.
type painter struct {
	name    string
	address string
	shows   string // a selector of what is there before
	conn    io.Writer
	say     func(i int, stamp int64) []byte
}

// delays are seconds until marks were painted, of each round.
type delays struct{ p50, p95, p99 benchkit.Series }

// wire takes how long a line needs from the socket into the browser's picture.
func wire(b *bench) error {
	up, err := newUpstream()
	if err != nil {
		return err
	}
	defer up.Close()
	target, err := b.SSHD()
	if err != nil {
		return err
	}
	lines, screens, others, bastion := benchkit.FreeAddr("tcp"), benchkit.FreeAddr("tcp"), benchkit.FreeAddr("tcp"), benchkit.FreeAddr("tcp")
	config := fmt.Sprintf(`listeners:
  - {name: lines, listen: "tcp://%s", service: sink}
  - {name: screens, listen: "tcp://%s", service: relay, upstream: "tcp://%s", terminal: 80x24}
  - {name: others, listen: "tcp://%s", service: sink}
`, lines, screens, up.Addr(), others)
	if target != nil {
		config += target.Listener("bastion", bastion, "")
	}
	server, err := b.serve(benchkit.ServerOptions{Config: config})
	if err != nil {
		return err
	}
	painters, err := b.painters(server, up, lines, screens)
	if err != nil {
		return err
	}
	if target != nil {
		typist, err := b.typist(server, target, bastion)
		if err != nil {
			return err
		}
		painters = slices.Insert(painters, len(painters)-1, typist)
	}
	crowd, err := gather(others, wireOthers)
	if err != nil {
		return err
	}
	defer crowd.leave()
	loads := []string{"alone", fmt.Sprintf("%d other sessions with %d events/s each", wireOthers, wireRate)}
	found := make([][]delays, len(loads))
	for round := range *rounds {
		for i, load := range loads {
			found[i] = append(found[i], make([]delays, len(painters)-len(found[i]))...)
			stop := func() error { return nil }
			if i > 0 {
				stop = crowd.talk(wireOthers*wireRate, 80, 0)
			}
			for k, p := range painters {
				b.Progress("wire, round %d of %d: %s, %s", round+1, *rounds, p.name, load)
				if err := b.delay(p, &found[i][k], fmt.Sprintf("wire-%s-%d", p.name, i)); err != nil {
					return fmt.Errorf("%s, %s: %w", p.name, load, err)
				}
			}
			if err := stop(); err != nil {
				return err
			}
		}
	}
	for i, load := range loads {
		peer := found[i][len(painters)-1]
		for k, p := range painters[:len(painters)-1] {
			ours := found[i][k]
			row := func(name string, ours, peer benchkit.Series, target benchkit.Target) {
				b.Add(benchkit.Row{Name: fmt.Sprintf("wire to pixel, %s, %s: %s", p.name, load, name), Ours: ours, Peer: peer,
					PeerName: "bare page", Unit: benchkit.Millis, Target: target})
			}
			row("p50", ours.p50, peer.p50, benchkit.Target{})
			row("p95", ours.p95, peer.p95, benchkit.AtMost(wireLimit, benchkit.Millis))
			row("p99", ours.p99, peer.p99, benchkit.Target{})
		}
	}
	b.Note("wire to pixel: from before the write into a socket until the page's main thread is done with the frame that paints it, "+
		"%d marks each round, 20 to 60 ms apart. The bare page gets what comes over TCP from Node over a WebSocket and appends it. A key "+
		"through the bastion goes by `ssh -tt`, the bastion, OpenSSH's server and `cat`, and back, before it is shown.", wireMarks)
	return b.end(server)
}

// painters are ours, and the peer.
func (b *bench) painters(server *benchkit.Server, up *upstream, lines, screens string) ([]painter, error) {
	text := func(i int, stamp int64) []byte {
		return fmt.Appendf(nil, "%09d mark %d *******************************\n", i, stamp)
	}
	sink, err := dial(lines)
	if err != nil {
		return nil, err
	}
	far, err := dial(screens)
	if err != nil {
		return nil, err
	}
	go io.Copy(io.Discard, far) // ends with the server
	near, err := up.next(b.Context)
	if err != nil {
		return nil, err
	}
	sink.Write([]byte("ready\n"))
	near.Write([]byte("\x1b[2Jready"))
	var address [2]string
	for i, listener := range []string{"lines", "screens"} {
		if err := server.WaitLive(listener, 1, 5*time.Second); err != nil {
			return nil, err
		}
		ids, err := sessionsOf(server, listener)
		if err != nil {
			return nil, err
		}
		address[i] = "/sessions/" + string(ids[0])
	}
	peer, err := b.Script(filepath.Join(b.root, "bench/console/peer.mjs"))
	if err != nil {
		return nil, err
	}
	var at struct{ Page, Line string }
	if err := peer.Receive(&at); err != nil {
		return nil, err
	}
	bare, err := dial(at.Line)
	if err != nil {
		return nil, err
	}
	return []painter{
		{"conversation", address[0], ".row-line", sink, text},
		{"terminal", address[1], ".xterm-rows > div", near, terminalMark},
		{"bare page", at.Page, "#list", bare, text},
	}, nil
}

// terminalMark is a mark on a line of a terminal.
func terminalMark(i int, stamp int64) []byte {
	return fmt.Appendf(nil, "\x1b[%d;1H\x1b[32m%09d\x1b[0m mark %d **********\x1b[K", 1+i%24, i, stamp)
}

// delay says marks at known times, and takes when each was painted.
func (b *bench) delay(p painter, into *delays, name string) error {
	if err := b.do("watchMarks", order{"address": p.address, "shows": p.shows, "file": b.trace(name)}, nil); err != nil {
		return err
	}
	if err := benchkit.Sleep(b.Context, time.Second); err != nil {
		return err
	}
	for i := range wireMarks {
		if _, err := p.conn.Write(p.say(i, time.Now().UnixMicro())); err != nil {
			return err
		}
		if err := benchkit.Sleep(b.Context, 20*time.Millisecond+rand.N(40*time.Millisecond)); err != nil {
			return err
		}
	}
	var marks [][2]int64
	if err := b.do("takeMarks", order{"count": wireMarks}, &marks); err != nil {
		return err
	}
	if len(marks) != wireMarks {
		return fmt.Errorf("%d of %d marks were painted", len(marks), wireMarks)
	}
	var took []float64
	for _, m := range marks {
		took = append(took, float64(m[1]-m[0])/1e6)
	}
	into.p50 = append(into.p50, benchkit.Percentile(took, 0.50))
	into.p95 = append(into.p95, benchkit.Percentile(took, 0.95))
	into.p99 = append(into.p99, benchkit.Percentile(took, 0.99))
	return nil
}
