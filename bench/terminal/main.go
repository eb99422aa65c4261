//go:build linux

// Command terminal measures how fast the emulator of package terminal takes what programs write, beside xterm.js in Node,
// how fast and how long its snapshots are, and what a terminal takes of memory.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/terminal"
)

const (
	cols, rows = 140, 40
	rounds     = 5
	each       = 400 * time.Millisecond // of CPU, for a side in a round
	recordings = "terminal/testdata"
	oracle     = "terminal/oracle"
)

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "terminal",
		About: "terminal emulator: output per second of CPU, snapshots, memory",
		Run:   run,
	})
}

var megabytes benchkit.Unit = func(v float64) string { return fmt.Sprintf("%.0f MB/s", v/1e6) }

// A class is a kind of output.
type class struct {
	name  string
	data  []byte
	ratio float64 // to reach
}

func run(r *benchkit.Run) error {
	classes, err := makeClasses()
	if err != nil {
		return err
	}
	peer := findPeer(r)
	for _, c := range classes {
		file := filepath.Join(r.Dir, "data")
		if err := os.WriteFile(file, c.data, 0o644); err != nil {
			return err
		}
		ours, theirs := benchkit.Series{}, benchkit.Series{}
		for i := range rounds {
			r.Progress("%s, %d of %d", c.name, i+1, rounds)
			ours = append(ours, play(c.data))
			if peer == "" {
				continue
			}
			out, err := exec.CommandContext(r.Context, peer, oracle+"/speed.mjs", file, strconv.Itoa(cols), strconv.Itoa(rows),
				fmt.Sprint(each.Seconds())).Output()
			if err != nil {
				return fmt.Errorf("xterm.js: %w", err)
			}
			rate, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			if err != nil {
				return fmt.Errorf("xterm.js: %w", err)
			}
			theirs = append(theirs, rate)
		}
		target := benchkit.AtLeast(100e6, megabytes)
		if c.ratio > 0 && len(theirs) > 0 {
			target = benchkit.RatioAtLeast(c.ratio)
		}
		r.Add(benchkit.Row{Name: c.name, Ours: ours, Peer: theirs, PeerName: "xterm.js", Unit: megabytes, Target: target})
	}
	addSnapshots(r, classes[0].data)
	addMemory(r, classes[0].data)
	r.Note("Rates are output per second of CPU, at %d×%d, in pieces of 4 KiB. xterm.js runs in Node, without drawing anything.", cols, rows)
	return nil
}

// findPeer returns Node with xterm.js beside it, or nothing, which the report then says.
func findPeer(r *benchkit.Run) string {
	node, err := exec.LookPath("node")
	if err != nil {
		r.Skip("xterm.js", "Node is not installed (Debian: apt-get install nodejs)")
		return ""
	}
	if _, err := os.Stat(oracle + "/node_modules/@xterm/headless"); err != nil {
		cmd := exec.CommandContext(r.Context, "npm", "ci", "--ignore-scripts")
		cmd.Dir = oracle
		if out, err := cmd.CombinedOutput(); err != nil {
			r.Skip("xterm.js", fmt.Sprintf("npm ci in %s: %v: %.200s", oracle, err, out))
			return ""
		}
	}
	return node
}

// makeClasses returns the kinds of output, that of full-screen programs first.
func makeClasses() ([]class, error) {
	screens, err := read("vim", "less", "htop", "top", "tmux", "mc", "nano", "dialog", "vttest")
	if err != nil {
		return nil, err
	}
	shells, err := read("bash", "git", "progress")
	if err != nil {
		return nil, err
	}
	log := strings.Repeat("2024-01-01T12:00:00Z INFO request served method=GET path=/api/v1/sessions status=200 took=1.2ms\r\n", 3000)
	cjk := strings.Repeat("漢字かな交じり文は横に広い。中文字符佔兩列。한국어 문장도 그렇다。\r\n", 3000)
	var colors bytes.Buffer
	for i := range 20000 {
		fmt.Fprintf(&colors, "\x1b[38;2;%d;%d;%d;48;5;%dm▀", i%256, i/256, i%100, i%256)
	}
	return []class{
		{"full-screen programs", screens, 4},
		{"shells, git, progress bars", shells, 2},
		{"a log", []byte(log), 2},
		{"Chinese, Japanese and Korean text", []byte(cjk), 2},
		{"pictures of coloured half blocks", colors.Bytes(), 2},
	}, nil
}

// read returns the output of recordings, one after the other.
func read(names ...string) ([]byte, error) {
	var all []byte
	for _, name := range names {
		p, err := os.ReadFile(filepath.Join(recordings, name+".cast"))
		if err != nil {
			return nil, fmt.Errorf("in another folder than the repository's: %w", err)
		}
		for _, line := range bytes.Split(p, []byte("\n"))[1:] {
			var event []any
			if json.Unmarshal(line, &event) == nil && len(event) == 3 && event[1] == "o" {
				all = append(all, event[2].(string)...)
			}
		}
		all = append(all, "\x1bc"...)
	}
	return all, nil
}

// used is the CPU time of this process.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// write gives data to a terminal as it would come.
func write(t *terminal.Terminal, data []byte) {
	for len(data) > 0 {
		n := min(4096, len(data))
		t.Write(data[:n])
		data = data[n:]
	}
}

// play returns how many bytes per second of CPU our emulator takes.
func play(data []byte) float64 {
	t := terminal.New(cols, rows)
	write(t, data)
	n, start := 0, used()
	for used()-start < each {
		write(t, data)
		n += len(data)
	}
	return float64(n) / (used() - start).Seconds()
}

// addSnapshots measures snapshots at many places of the data.
func addSnapshots(r *benchkit.Run, data []byte) {
	const places, times = 200, 50
	took, size, largest := benchkit.Series{}, benchkit.Series{}, 0
	for range rounds {
		t := terminal.New(cols, rows)
		var out []byte
		total, bytes := time.Duration(0), 0
		for i := range places {
			t.Write(data[len(data)*i/places : len(data)*(i+1)/places])
			start := used()
			for range times {
				out = t.AppendSnapshot(out[:0])
			}
			total += used() - start
			bytes += len(out)
			largest = max(largest, len(out))
		}
		took = append(took, total.Seconds()/places/times)
		size = append(size, float64(bytes)/places)
	}
	r.Add(benchkit.Row{Name: "a snapshot of full-screen programs", Ours: took, Unit: benchkit.Micros,
		Target: benchkit.AtMost(100e-6, benchkit.Micros)})
	r.Add(benchkit.Row{Name: "its size", Ours: size, Unit: benchkit.Bytes, Target: benchkit.AtMost(4096, benchkit.Bytes)})
	r.Note("The largest snapshot of full-screen programs: %d bytes.", largest)
}

// addMemory measures terminals that have shown the data.
func addMemory(r *benchkit.Run, data []byte) {
	const count = 50
	for _, size := range [][2]int{{80, 24}, {cols, rows}} {
		terminals := make([]*terminal.Terminal, count)
		before := heap()
		for i := range terminals {
			terminals[i] = terminal.New(size[0], size[1])
			write(terminals[i], data)
		}
		held := float64(heap()-before) / count
		runtime.KeepAlive(terminals)
		r.Add(benchkit.Row{Name: fmt.Sprintf("heap of a terminal, %d×%d", size[0], size[1]), Ours: benchkit.One(held), Unit: benchkit.Bytes,
			Target: benchkit.AtMost(256<<10, benchkit.Bytes)})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
