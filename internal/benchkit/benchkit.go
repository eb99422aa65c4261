//go:build linux

// Package benchkit is the workbench of the programs under bench/: it starts the server, its peers and the load that
// is put on them, each in a process of its own, and prints what was found beside what should be reached.
package benchkit

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// Bench is one program under bench/.
type Bench struct {
	Name  string // as in bench/NAME
	About string // one line: what is measured
	Run   func(r *Run) error
	Roles map[string]Role // what the program does in the processes that Run.Spawn starts
}

// Run is one run of a benchmark. Everything that it started ends with it.
type Run struct {
	*Report
	Context context.Context // ends with SIGINT and SIGTERM
	Dir     string          // a folder of this run alone, removed at its end

	profiles string
	binary   string
	cleanups []func()
	names    map[string]int
}

// roleVariable names the role of a process that Spawn started.
const roleVariable = "SWITCHBOARD_BENCH_ROLE"

// Main runs the benchmark, or the role that this process was started for, and exits: 0 when every figure was taken,
// also if one missed its target, and 1 when something broke or was lost.
func Main(b Bench) {
	if name := os.Getenv(roleVariable); name != "" {
		if err := serveParent(b.role(name)); err != nil {
			os.Exit(1)
		}
		return
	}
	profiles := flag.String("profile", "", "folder to save CPU profiles of the server in")
	dir := flag.String("dir", "", "folder to work in; default: a temporary one")
	flag.Parse()
	if err := b.run(*dir, *profiles); err != nil {
		fmt.Fprintf(os.Stderr, "bench/%s: %v\n", b.Name, err)
		os.Exit(1)
	}
}

func (b *Bench) role(name string) Role {
	switch name {
	case fleetRole:
		return serveFleet
	case linesRole:
		return serveLines
	case upstreamRole:
		return serveUpstream
	}
	return b.Roles[name]
}

func (b *Bench) run(dir, profiles string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	release, err := takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	r := &Run{Report: newReport(b), Context: ctx, profiles: profiles, names: map[string]int{}}
	if r.Dir, err = os.MkdirTemp(dir, "switchboard-bench-"); err != nil {
		return err
	}
	r.Cleanup(func() { os.RemoveAll(r.Dir) })
	defer r.cleanup()
	defer r.Report.print(os.Stdout)
	if profiles != "" {
		if err := os.MkdirAll(profiles, 0o755); err != nil {
			return err
		}
	}
	err = b.Run(r)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// takeTurn waits until no other benchmark runs on this machine: two at once would measure each other.
func takeTurn(ctx context.Context) (release func(), err error) {
	path := filepath.Join(os.TempDir(), "switchboard-bench.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o666)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if !told {
			fmt.Fprintln(os.Stderr, "another benchmark is running: waiting for it to end")
		}
		if err := Sleep(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// Cleanup has f called at the end of the run, the last one first.
func (r *Run) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *Run) cleanup() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

// ProfileFile is where a CPU profile of this name is to be saved; empty if -profile did not ask for one.
func (r *Run) ProfileFile(name string) string {
	if r.profiles == "" {
		return ""
	}
	return filepath.Join(r.profiles, name+".pprof")
}

// path is a new name in the run's folder.
func (r *Run) path(name string) string {
	r.names[name]++
	if n := r.names[name]; n > 1 {
		ext := filepath.Ext(name)
		name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), n, ext)
	}
	return filepath.Join(r.Dir, name)
}

// Sleep waits, or returns the context's error.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Until asks ready every 20 ms until it says yes, at most for the given time.
func Until(ctx context.Context, limit time.Duration, what string, ready func() (bool, error)) error {
	for end := time.Now().Add(limit); ; {
		ok, err := ready()
		if ok {
			return nil
		}
		if time.Now().After(end) {
			if err != nil {
				return fmt.Errorf("%s: not within %v: %w", what, limit, err)
			}
			return fmt.Errorf("%s: not within %v", what, limit)
		}
		if err := Sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// quietCollector keeps a load generator's own garbage collector from disturbing what it times.
func quietCollector() { debug.SetGCPercent(400) }
