//go:build linux

// Command screens measures what sessions of terminals cost to keep and to look into: seeking in a long one, joining one
// late, their size on disk, and what keeping their screens takes from the bytes that pass.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/session"
)

var (
	only    = flag.String("only", "seek,disk,cost", "some of these")
	seconds = flag.Int("seconds", 300, "disk: for how long top runs before what it wrote is repeated, s")
	topFile = flag.String("top", "", "disk: an asciicast of top -d 1, instead of running it")
	mb      = flag.Int64("mb", 1000, "seek: size of the recording, MB")
	hours   = flag.Int("hours", 10, "seek: length of the recording")
	rounds  = flag.Int("rounds", 5, "cost: rounds")
)

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "screens",
		About: "sessions of terminals: seeking, joining late, size on disk, what keeping screens costs",
		Run:   run,
		Roles: map[string]benchkit.Role{seekerRole: serveSeeker},
	})
}

type bench struct{ *benchkit.Run }

func run(r *benchkit.Run) error {
	b := &bench{r}
	parts := map[string]func() error{"seek": b.seek, "disk": b.disk, "cost": b.cost}
	var loads []string
	for _, name := range strings.Split(*only, ",") {
		part := parts[name]
		if part == nil {
			return fmt.Errorf("-only %s: there is no such part", name)
		}
		load, _ := os.ReadFile("/proc/loadavg")
		loads = append(loads, name+" "+strings.Fields(string(load) + " ?")[0])
		if err := part(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	r.Note("The machine's load average when each part began: %s.", strings.Join(loads, ", "))
	return nil
}

// about is a session that began so long ago.
func about(ago time.Duration) session.Info {
	return session.Info{ID: session.NewID("n1"), Listener: "past", Service: "relay", Transport: "tcp", Local: "127.0.0.1:1",
		Remote: "127.0.0.1:2", Start: time.Now().Add(-ago).UnixMicro(), Record: session.RecordOn, Terminal: "80x24"}
}

// piece is what a program wrote at once.
type piece struct {
	at   time.Duration
	data []byte
}

// readCast reads what an asciicast 2 shows.
func readCast(file string) (pieces []piece, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(string(text), "\n")[1:] {
		var event []any
		if json.Unmarshal([]byte(line), &event) == nil && len(event) == 3 && event[1] == "o" {
			pieces = append(pieces, piece{time.Duration(event[0].(float64) * 1e9), []byte(event[2].(string))})
		}
	}
	return pieces, nil
}

// root is the folder of the repository.
func root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w: run this inside of the repository", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// casts is what full-screen programs write, one after the other.
func casts() (all []byte, err error) {
	dir, err := root()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"vim", "less", "htop", "top", "tmux", "mc", "nano", "dialog", "git", "bash"} {
		pieces, err := readCast(filepath.Join(dir, "terminal/testdata", name+".cast"))
		if err != nil {
			return nil, err
		}
		for _, p := range pieces {
			all = append(all, p.data...)
		}
		all = append(all, "\x1bc"...)
	}
	return all, nil
}

// recorded waits until a session that was has a file of its own.
func (b *bench) recorded(s *benchkit.Server, id session.ID, events uint64) (sum session.Summary, err error) {
	err = benchkit.Until(b.Context, 5*time.Minute, "the recording is complete", func() (bool, error) {
		err := s.Get("/api/v1/sessions/"+string(id), &sum)
		return err == nil && sum.State == session.Recorded && sum.Size > 0, err
	})
	if want := events + 1; err == nil && sum.Events != want { // closed by the start
		err = fmt.Errorf("%d events are on record; want %d", sum.Events, want)
	}
	return sum, err
}

// keptOf asks for the newest screen, and waits until all that are to be kept are there: their file does not grow any more.
func (b *bench) keptOf(s *benchkit.Server, sum session.Summary) (files map[string]int64, took time.Duration, err error) {
	began := time.Now()
	if err := s.Get("/api/v1/sessions/"+string(sum.ID)+"/screen?format=text", nil); err != nil {
		return nil, 0, err
	}
	grew, last := time.Now(), int64(0)
	err = benchkit.Until(b.Context, 5*time.Minute, "the screens are kept", func() (bool, error) {
		if files, err = filesOf(s.Data, sum.ID); err != nil {
			return false, err
		}
		if size := files[".screens"]; size != last {
			grew, last = time.Now(), size
		}
		return time.Since(grew) > 3*time.Second, nil
	})
	return files, grew.Sub(began), err
}

// filesOf are the sizes of a recording's files, by what their names end with.
func filesOf(data string, id session.ID) (map[string]int64, error) {
	found := map[string]int64{}
	paths, err := filepath.Glob(filepath.Join(data, "recordings/*/*/*/*/"+string(id)+".*"))
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			found[filepath.Ext(path)] = info.Size()
		}
	}
	return found, err
}
