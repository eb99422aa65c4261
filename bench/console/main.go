//go:build linux

// Command console measures the web console in a real Chromium: from a byte on the wire to the pixel, seeking in large
// recordings, memory while one plays, the wall, the first page, and the list of 10,000 sessions.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/session"
)

var (
	only   = flag.String("only", "wire,join,seek,memory,wall,first,board", "some of these")
	rounds = flag.Int("rounds", 3, "rounds of wire")
	size   = flag.Int64("mb", 1000, "size of the recordings that are sought in, MB")
	hour   = flag.Bool("hour", false, "memory: play for a whole hour at 1×, instead of over and over at 64×")
)

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "console",
		About: "the web console in Chromium: latency, seeking, memory, the wall, the first page, 10,000 sessions",
		Run:   run,
	})
}

// bench drives one browser; each scene has a server of its own.
type bench struct {
	*benchkit.Run
	root    string
	browser *benchkit.Child
}

func run(r *benchkit.Run) error {
	scenes := map[string]func(*bench) error{"wire": wire, "join": join, "seek": seek, "memory": memory, "wall": wall, "first": first, "board": board}
	b := &bench{Run: r}
	if err := b.prepare(); err != nil {
		return err
	}
	var others []string
	for _, name := range strings.Split(*only, ",") {
		play := scenes[name]
		if play == nil {
			return fmt.Errorf("-only %s: there is no such scene", name)
		}
		load, _ := os.ReadFile("/proc/loadavg")
		others = append(others, name+" "+strings.Fields(string(load) + " ?")[0])
		if err := play(b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	r.Note("The machine's load average when each part began: %s. What else works takes part of the same %d processors.",
		strings.Join(others, ", "), runtime.NumCPU())
	return nil
}

// prepare has what the browser is driven with, and starts it.
func (b *bench) prepare() error {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("go list: %w: run this inside of the repository", err)
	}
	b.root = strings.TrimSpace(string(out))
	if _, err := os.Stat(filepath.Join(b.root, "console/node_modules/playwright-core")); err != nil {
		b.Progress("npm ci")
		npm := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		npm.Dir = filepath.Join(b.root, "console")
		if out, err := npm.CombinedOutput(); err != nil {
			return fmt.Errorf("npm ci: %w\n%s", err, out)
		}
	}
	b.Progress("building")
	if _, err := b.Build(); err != nil {
		return err
	}
	b.browser, err = b.Script(filepath.Join(b.root, "bench/console/browser.mjs"))
	return err
}

// order is what the browser's script is told: {"do": …}.
type order map[string]any

// do has the browser do something.
func (b *bench) do(what string, o order, into any) error {
	if o == nil {
		o = order{}
	}
	o["do"] = what
	return b.browser.Call(o, into)
}

// serve starts a server, and the browser anew, signed in there.
func (b *bench) serve(opt benchkit.ServerOptions) (*benchkit.Server, error) {
	server, err := b.Server(opt)
	if err != nil {
		return nil, err
	}
	return server, b.do("launch", order{"url": server.URL, "token": server.Token}, nil)
}

// end stops what serve started.
func (b *bench) end(server *benchkit.Server) error {
	if err := b.do("leave", nil, nil); err != nil {
		return err
	}
	_, err := server.Stop()
	return err
}

// trace is where a profile of the page is to be saved; empty if -profile did not ask for one.
func (b *bench) trace(name string) string {
	file := b.ProfileFile(name)
	if file == "" {
		return ""
	}
	return strings.TrimSuffix(file, ".pprof") + ".cpuprofile"
}

// sessionsOf are the sessions of a listener, the oldest first.
func sessionsOf(server *benchkit.Server, listener string) ([]session.ID, error) {
	list, err := server.Sessions(map[string][]string{"listener": {listener}})
	slices.SortFunc(list, func(a, b session.Summary) int { return int(a.Start - b.Start) })
	var ids []session.ID
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids, err
}

// cpu is the time that processors spent on some processes, and when that was read.
type cpu struct {
	spent map[int]time.Duration
	at    time.Time
}

func readCPU(pids ...int) cpu {
	c := cpu{map[int]time.Duration{}, time.Now()}
	for _, pid := range pids {
		if spent, err := benchkit.CPU(pid); err == nil { // one that has ended is not counted
			c.spent[pid] = spent
		}
	}
	return c
}

// cores is how many processors these processes kept busy since.
func (c cpu) cores() float64 {
	var spent time.Duration
	for pid, before := range c.spent {
		if now, err := benchkit.CPU(pid); err == nil {
			spent += now - before
		}
	}
	return spent.Seconds() / time.Since(c.at).Seconds()
}

// processes are those of the browser.
func (b *bench) processes() ([]int, error) {
	var list []struct{ ID int }
	err := b.do("processes", nil, &list)
	var pids []int
	for _, p := range list {
		pids = append(pids, p.ID)
	}
	return pids, err
}
