package forward_test

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/forward"
	"github.com/switchboard-relay/switchboard/session"
)

const childDir, childURL = "FORWARD_TEST_DIR", "FORWARD_TEST_URL"

// TestMain runs the tests, or is the child of one: a node that lives until it is killed.
func TestMain(m *testing.M) {
	if os.Getenv(childDir) == "" {
		os.Exit(m.Run())
	}
	testing.Benchmark(func(b *testing.B) { // which is a testing.TB outside of a test
		n := newNode(b, setting{dir: os.Getenv(childDir)}, forward.Config{Name: "hook", To: os.Getenv(childURL), RetryMin: 10 * time.Millisecond})
		fmt.Println(n.fleetRecorded("devices", lineSpec, session.RecordStrict))
		io.Copy(io.Discard, os.Stdin) // until the parent is gone
		os.Exit(0)
	})
}

// child is a node in a process of its own.
type child struct {
	cmd  *exec.Cmd
	addr string
}

func startChild(t testing.TB, dir, url string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childURL+"="+url)
	cmd.Stderr = os.Stderr
	_, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the child said nothing: %v", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return &child{cmd, strings.TrimSpace(line)}
}

func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// sayUntil says numbered lines, and returns the number of the first that was not acknowledged once the connection breaks.
func sayUntil(addr, name string, from, to int) (next int) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return from
	}
	defer c.Close()
	in := bufio.NewReader(c)
	sync := func(line string) error {
		c.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c, line+"\n"); err != nil {
			return err
		}
		_, err := in.ReadString('\n')
		return err
	}
	if sync("LOGIN:"+name) != nil {
		return from
	}
	for k := from; k < to; k++ {
		io.WriteString(c, numbered(name, k)+"\n")
		if k%5 == 4 || k == to-1 {
			if sync("SYNC") != nil {
				return from
			}
			from = k + 1
		}
	}
	return from
}

func TestNothingIsLostWhenTheServerIsKilled(t *testing.T) {
	s := newSite(t, nil)
	dir := t.TempDir()
	const devices, lines, kills = 10, 400, 4
	var mu sync.Mutex
	now := startChild(t, dir, s.URL)
	current := func() *child {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	var talking sync.WaitGroup
	var names []string
	for i := range devices {
		name := fmt.Sprintf("d%d", i)
		names = append(names, name)
		talking.Go(func() {
			for next := 0; next < lines; {
				next = sayUntil(current().addr, name, next, lines)
			}
		})
	}
	for k := range kills {
		want := (k + 1) * devices * lines / (kills + 2) // so far, and a little further, at no chosen moment
		s.got.await(t, fmt.Sprintf("%d messages before kill %d", want, k+1), func(l []object) bool { return len(l) >= want })
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		mu.Lock()
		now.kill()
		now = startChild(t, dir, s.URL)
		mu.Unlock()
	}
	talking.Wait()
	looked, last := 0, map[string]bool{}
	list := s.got.await(t, "the last line of every device", func(l []object) bool {
		for ; looked < len(l); looked++ {
			if o := &l[looked]; o.text() == numbered(o.Name, lines-1) {
				last[o.Name] = true
			}
		}
		return len(last) == devices
	})
	checkAtLeastOnce(t, list, names, lines)
}

// checkAtLeastOnce tells loss from disorder where a process was killed: the device says again what was not acknowledged, in a
// session of its own, and what was delivered but not noted as such comes again. By message id each session's are in order.
func checkAtLeastOnce(t testing.TB, list []object, names []string, n int) {
	t.Helper()
	seen := map[string]map[int]bool{}
	ids := map[string]int64{}     // the furthest of each session
	newest := map[string]string{} // session of each device
	past := map[string]bool{}     // sessions behind which another came
	repeats, total := 0, len(list)
	for _, o := range list {
		var start int64
		if _, err := fmt.Sscanf(o.ID, o.Session+":%d", &start); err != nil {
			t.Fatalf("id %q is none of session %s", o.ID, o.Session)
		}
		furthest, known := ids[o.Session]
		switch {
		case known && start <= furthest:
			repeats++
		case past[o.Session]:
			t.Fatalf("DISORDER: of %q came %q of session %s, and a newer session was before it", o.Name, o.text(), o.Session)
		default:
			ids[o.Session] = start
		}
		if newest[o.Name] != o.Session && !(known && start <= furthest) {
			past[newest[o.Name]] = true
			newest[o.Name] = o.Session
		}
		var k int
		if _, err := fmt.Sscanf(o.text(), o.Name+"-%d", &k); err == nil {
			if seen[o.Name] == nil {
				seen[o.Name] = map[int]bool{}
			}
			seen[o.Name][k] = true
		}
	}
	var errs []error
	for _, name := range names {
		for k := range n {
			if !seen[name][k] {
				errs = append(errs, fmt.Errorf("LOST: %q said %d, which was on disk, and it never came", name, k))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages, of which %d came again", total, repeats)
}

// A recording may be complete, and the process be killed before the list has it.
func TestWhatTheListLacksBehindACrashComesBeforeWhatIsSaidNow(t *testing.T) {
	s := newSite(t, nil)
	conf := toSite(s)
	conf.To = "http://127.0.0.1:1/" // nobody is there
	before := newNode(t, setting{}, conf)
	addr := before.fleet("devices", lineSpec)
	const sessions = 200
	for i := range sessions {
		c := dial(t, addr, "a")
		say(t, c, numbered("a", i))
		settle(t, c, "SYNC")
		c.Close()
	}
	before.stop()
	for _, name := range []string{"index.db", "index.db-wal", "index.db-shm"} {
		os.Remove(filepath.Join(before.dir, name))
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(before.dir, "forward.db"))
	check(t, err)
	_, err = db.Exec("UPDATE written SET at = (SELECT min(named) FROM feed); DELETE FROM feed WHERE named > (SELECT at FROM written)") // all but one came since
	check(t, errors.Join(err, db.Close()))

	conf.To = s.URL
	now := newNode(t, setting{dir: before.dir}, conf)
	c := dial(t, now.fleet("devices", lineSpec), "a")
	say(t, c, numbered("a", sessions))
	list := s.got.await(t, "what was said last", func(l []object) bool { return len(l) > 0 && l[len(l)-1].text() == numbered("a", sessions) })
	checkNumbered(t, list, []string{"a"}, sessions+1, false)
}
