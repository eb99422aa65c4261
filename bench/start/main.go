//go:build linux

// Command start measures how fast the server is there, and how little it takes: from the start of the process to the
// first accepted connection, memory while nothing happens, and the size of the binary.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

const (
	rounds = 11
	idle   = 5 * time.Second
)

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "start",
		About: "from nothing to the first accepted connection; memory when idle; size",
		Run:   run,
	})
}

// node does what the first line of our configuration does, to compare with.
const node = `require('net').createServer(s => { s.on('error', () => {}); s.write('Hello client!') })
  .listen(+process.argv[2], '127.0.0.1')`

func run(r *benchkit.Run) error {
	binary, err := r.Build()
	if err != nil {
		return err
	}
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	fresh, again, peer := benchkit.Series{}, benchkit.Series{}, benchkit.Series{}
	nodePath, _ := exec.LookPath("node")
	script := r.Dir + "/peer.js"
	if nodePath == "" {
		r.Skip("Node", "it is not installed (Debian: apt-get install nodejs)")
	} else if err := os.WriteFile(script, []byte(node), 0o644); err != nil {
		return err
	}
	for i := range rounds {
		r.Progress("start %d of %d", i+1, rounds)
		addr := benchkit.FreeAddr("tcp")
		opt := benchkit.ServerOptions{Config: config(addr)}
		cmd, data, err := r.Command(opt)
		if err != nil {
			return err
		}
		if fresh, err = appendStart(fresh, cmd, addr); err != nil {
			return err
		}
		opt.Data = data
		if cmd, _, err = r.Command(opt); err != nil {
			return err
		}
		if again, err = appendStart(again, cmd, addr); err != nil {
			return err
		}
		if nodePath == "" {
			continue
		}
		_, port, _ := net.SplitHostPort(addr)
		if peer, err = appendStart(peer, exec.Command(nodePath, script, port), addr); err != nil {
			return err
		}
	}
	r.Progress("idle for %v", idle)
	server, err := r.Server(benchkit.ServerOptions{Config: config(benchkit.FreeAddr("tcp"))})
	if err != nil {
		return err
	}
	if err := benchkit.Sleep(r.Context, idle); err != nil {
		return err
	}
	rss, err := benchkit.RSS(server.PID())
	if err != nil {
		return err
	}
	limit := benchkit.AtMost(0.050, benchkit.Millis)
	r.Add(benchkit.Row{Name: "start to first greeting, new data folder", Ours: fresh, Peer: peer, PeerName: "Node",
		Unit: benchkit.Millis, Target: limit})
	r.Add(benchkit.Row{Name: "start to first greeting, data folder is there", Ours: again, Peer: peer, PeerName: "Node",
		Unit: benchkit.Millis, Target: limit})
	r.Add(benchkit.Row{Name: "resident memory, idle for 5 s", Ours: benchkit.One(float64(rss)), Unit: benchkit.MiB,
		Target: benchkit.AtMost(40<<20, benchkit.MiB)})
	r.Add(benchkit.Row{Name: "stripped binary", Ours: benchkit.One(float64(info.Size())), Unit: benchkit.MB,
		Target: benchkit.AtMost(40e6, benchkit.MB)})
	r.Note("From fork to the first byte of the greeting of an accepted and recorded session, slowest of %d: %.1f ms in a new "+
		"folder, %.1f ms in one that is there.", rounds, fresh.Max()*1e3, again.Max()*1e3)
	r.Note("All of the default configuration is there: hello, echo, chat, UDP, REST, the embedded bus, the index.")
	return nil
}

// config is the default configuration on free ports.
func config(hello string) string {
	return fmt.Sprintf(`listeners:
  - {name: hello, listen: "tcp://%s", service: sink, greeting: "Hello client!"}
  - {name: echo, listen: "tcp://%s", service: echo, greeting: "Hello\n"}
  - {name: chat, listen: "tcp://%s", service: room, room: chat}
  - {name: sensors, listen: "udp://%s", service: sink, idle: 60s}
`, hello, benchkit.FreeAddr("tcp"), benchkit.FreeAddr("tcp"), benchkit.FreeAddr("udp"))
}

// appendStart starts the program, connects until it is greeted, and ends the program again.
func appendStart(s benchkit.Series, cmd *exec.Cmd, addr string) (benchkit.Series, error) {
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return s, err
	}
	err := greeted(addr, start.Add(10*time.Second))
	took := time.Since(start)
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if err != nil {
		return s, fmt.Errorf("%s: %w", cmd.Path, err)
	}
	return append(s, took.Seconds()), nil
}

func greeted(addr string, deadline time.Time) error {
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			defer c.Close()
			c.SetDeadline(deadline)
			_, err = io.ReadFull(c, make([]byte, 1))
			return err
		}
		if time.Now().After(deadline) {
			return err
		}
		time.Sleep(200 * time.Microsecond)
	}
}
