//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/device"
)

// served is a run of the real server, which can be killed.
type served struct {
	cmd         *exec.Cmd
	cars, token string // where devices connect; who may command them
	api         string
}

// serve starts the real server on a data folder; it is killed when the test ends, if it was not before.
func serve(t *testing.T, dir, config string) *served {
	t.Helper()
	cmd := exec.Command(os.Args[0], "serve", "--data", dir, "--config", config)
	cmd.Env = append(os.Environ(), "SWITCHBOARD_IS_THE_PROGRAM=1")
	stderr := &bytes.Buffer{}
	cmd.Stderr = stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	said := ""
	find := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(said)
		if m == nil {
			t.Fatalf("the server says no %s: %q, %q", pattern, said, stderr)
		}
		return m[1]
	}
	defer time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }).Stop() // if it never says so
	for lines := bufio.NewReader(stdout); !strings.Contains(said, "Stop with Ctrl-C"); {
		line, err := lines.ReadString('\n')
		if said += line; err != nil {
			t.Fatalf("the server ended: %q, %q", said, stderr)
		}
	}
	go io.Copy(io.Discard, stdout) // ends with the server
	s := &served{cmd: cmd, cars: find(`tcp://(\S+)`), api: find(`(http://\S+/api/v1/)`)}
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil {
		t.Fatal(err)
	}
	s.token = strings.TrimSpace(string(token))
	return s
}

// tell asks the server to tell a device its command's id, and reports whether it said that it will.
func (s *served) tell(c *http.Client, name, id string) bool {
	body := fmt.Sprintf(`{"name": %q, "id": %q, "data": "%s\n", "ack": {"by": "echo"}}`, name, id, id)
	req, err := http.NewRequest("POST", s.api+"commands", strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode/100 == 2
}

// drivers are the devices, which count what they are told, and those who told them.
type drivers struct {
	mu   sync.Mutex
	told map[string]int
	took map[string]string // id to name
}

// drive is a device that says back what it is told, until the server is gone.
func (d *drivers) drive(address, name string) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer c.Close()
	fmt.Fprintf(c, "LOGIN %s\n", name)
	for in := bufio.NewScanner(c); in.Scan(); {
		d.mu.Lock()
		d.told[in.Text()]++
		d.mu.Unlock()
		fmt.Fprintln(c, in.Text())
	}
}

func TestAServerThatIsKilledTellsNoDeviceTwiceAndForgetsNoCommand(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	writeFile(t, config, `http: {listen: "127.0.0.1:0"}
listeners:
  - name: cars
    listen: tcp://127.0.0.1:0
    service: device
    device: {frame: [{type: line}], register: {pattern: 'LOGIN (?P<name>\w+)'}}
`)
	data := filepath.Join(dir, "data")
	d := &drivers{told: map[string]int{}, took: map[string]string{}}
	for round := range 4 {
		s := serve(t, data, config)
		var work sync.WaitGroup
		for i := range 5 {
			work.Go(func() { d.drive(s.cars, fmt.Sprint("car", i)) })
		}
		first := make(chan struct{}, 6)
		for asker := range 3 {
			work.Go(func() {
				c := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
				defer c.CloseIdleConnections()
				for i := range 480 { // of no device more than the list shows at once
					id, name := fmt.Sprintf("r%d-%d-%d", round, asker, i), fmt.Sprint("car", i%6) // the last of them never comes
					if !s.tell(c, name, id) {
						first <- struct{}{}
						return
					}
					d.mu.Lock()
					d.took[id] = name
					d.mu.Unlock()
					if i == 10 {
						first <- struct{}{}
					}
				}
			})
		}
		for range 3 {
			<-first
		}
		time.AfterFunc(time.Duration(rand.IntN(300))*time.Millisecond, func() { s.cmd.Process.Kill() }) // amid whatever it does
		work.Wait()
		s.cmd.Wait()
	}

	serve(t, data, config)
	kept, states := map[string]device.Command{}, map[device.CommandState]int{}
	for i := range 6 {
		code, out, said := runOnce(t, "commands", fmt.Sprint("car", i), "--limit", "1000", "--json", "--data", data)
		var list []device.Command
		if err := json.Unmarshal([]byte(out), &list); err != nil || code != exitOK {
			t.Fatalf("exit code %d, %v, %.300q, %q", code, err, out, said)
		}
		for _, c := range list {
			kept[c.ID] = c
		}
	}
	for id, name := range d.took {
		c, found := kept[id]
		states[c.State]++
		told := d.told[id]
		switch {
		case !found || c.Name != name:
			t.Errorf("%s of %s was taken; it is now %+v", id, name, c)
		case c.State == device.Acknowledged && told != 1, c.State == device.Queued && told != 0:
			t.Errorf("%s is %s; the device was told it %d times", id, c.State, told)
		case c.State != device.Acknowledged && c.State != device.Queued && c.State != device.Uncertain && c.State != device.Written:
			t.Errorf("%s is %s (%s)", id, c.State, c.Error)
		}
	}
	for id, n := range d.told {
		if n > 1 {
			t.Errorf("%s was told %d times", id, n)
		}
	}
	if len(d.took) < 4*3*10 || states[device.Acknowledged] == 0 || states[device.Queued] == 0 {
		t.Errorf("%d were taken, in states %v: too few to show anything", len(d.took), states)
	}
	t.Logf("%d were taken, %d came, in states %v", len(d.took), len(d.told), states)
}
