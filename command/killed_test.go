package command_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/session"
)

const victimPath = "COMMAND_TEST_VICTIM" // tells a process of this test that it is to be killed, and which file is its

func TestMain(m *testing.M) {
	if path := os.Getenv(victimPath); path != "" {
		victim(path)
		return
	}
	os.Exit(m.Run())
}

// victim is a process that serves devices and takes commands until it is killed: "ID NAME" on its standard input is one, and
// "took ID" on its standard output says that it was taken.
func victim(path string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	q, err := command.Open(command.Options{Path: path})
	fail(err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	fmt.Println("listens", ln.Addr())
	go func() {
		for {
			conn, err := ln.Accept()
			fail(err)
			go func() {
				name, err := bufio.NewReaderSize(conn, 16).ReadString('\n')
				if err != nil {
					conn.Close()
					return
				}
				p := &peer{name: strings.TrimSpace(name), id: session.NewID("n1"), conn: conn}
				q.Online(p)
				serve(q, p)
			}()
		}
	}()
	var out sync.Mutex
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		id, name, _ := strings.Cut(in.Text(), " ")
		req := text(name, id+"\n")
		if req.ID = id; strings.HasSuffix(id, "7") {
			req.Ack = &device.AckRule{By: "echo", Timeout: "1s"} // so long its device waits behind a kill
		}
		go func() {
			_, _, err := q.Add(context.Background(), req, "parent")
			fail(err)
			out.Lock()
			defer out.Unlock()
			fmt.Println("took", id)
		}()
	}
	select {}
}

// witness counts what devices got, by id.
type witness struct {
	mu   sync.Mutex
	got  map[string]int
	took map[string]string // id to name
	left int               // so many are yet to come to devices until kill is called
	kill func()
}

// attend is a device that connects, says its name, and says all that it gets back.
func (w *witness) attend(address, name string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintln(conn, name)
	for in := bufio.NewReader(conn); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		w.mu.Lock()
		w.got[strings.TrimSpace(line)]++
		if w.left--; w.left == 0 {
			w.kill()
		}
		w.mu.Unlock()
		io.WriteString(conn, line)
	}
}

// run has a process work until it is killed, amid what it does.
func (w *witness) run(t *testing.T, path string, round int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimPath+"="+path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatal("the process said nothing")
	}
	address := strings.TrimPrefix(lines.Text(), "listens ")
	w.left, w.kill = 1+rand.IntN(80), func() { cmd.Process.Kill() }
	var work sync.WaitGroup
	for i := range 20 {
		work.Go(func() { w.attend(address, fmt.Sprint("device", i)) })
	}
	names := map[string]string{}
	var mu sync.Mutex
	work.Go(func() {
		for i := 0; ; i++ {
			id, name := fmt.Sprintf("r%d-%d", round, i), fmt.Sprint("device", rand.IntN(22)) // two of them never come
			mu.Lock()
			names[id] = name
			mu.Unlock()
			if _, err := fmt.Fprintln(in, id, name); err != nil {
				return
			}
			if i%2 == 1 {
				time.Sleep(2 * time.Millisecond) // a load, not a flood
			}
		}
	})
	defer time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }).Stop() // if so many never come
	for lines.Scan() {
		id := strings.TrimPrefix(lines.Text(), "took ")
		mu.Lock()
		name := names[id]
		mu.Unlock()
		w.mu.Lock()
		w.took[id] = name
		w.mu.Unlock()
	}
	cmd.Wait() // killed
	in.Close()
	work.Wait()
}

func TestAProcessThatIsKilledUnderLoadSendsNothingTwiceAndForgetsNothing(t *testing.T) {
	h := open(t)
	h.q.Close()
	w := &witness{got: map[string]int{}, took: map[string]string{}}
	enough := func() bool { // a round may come to little
		h.open()
		defer h.q.Close()
		for _, state := range []device.CommandState{device.Done, device.Acknowledged, device.Queued} {
			if list, err := h.q.List(t.Context(), command.Filter{State: state, Limit: 1}); err != nil || len(list) == 0 {
				return false
			}
		}
		return len(w.took) >= 100
	}
	for round := 0; round < 8 || round < 30 && !enough(); round++ {
		w.run(t, h.path, round)
	}
	h.open()
	states := map[device.CommandState]int{}
	for id, name := range w.took {
		c, err := h.q.Get(t.Context(), command.Ref{Fleet: "fleet", Name: name, ID: id})
		if err != nil {
			t.Fatalf("%s was taken, and is forgotten: %v", id, err)
		}
		states[c.State]++
		got := w.got[id]
		switch c.State {
		case device.Done, device.Acknowledged:
			if got != 1 {
				t.Errorf("%s is %s; the device got it %d times", id, c.State, got)
			}
		case device.Queued:
			if got != 0 {
				t.Errorf("%s is queued; the device got it", id)
			}
		case device.Uncertain, device.Written, device.Unanswered:
		default:
			t.Errorf("%s is %s (%s)", id, c.State, c.Error)
		}
	}
	for id, n := range w.got {
		if n > 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	if len(w.took) < 100 || states[device.Done] == 0 || states[device.Acknowledged] == 0 || states[device.Queued] == 0 {
		t.Errorf("%d were taken, in states %v: too few to show anything", len(w.took), states)
	}
	t.Logf("%d were taken, %d came, in states %v", len(w.took), len(w.got), states)
}
