//go:build linux

package benchkit

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Program is a peer: another program that runs beside ours.
type Program struct{ cmd *exec.Cmd }

// PID is its process.
func (p *Program) PID() int { return p.cmd.Process.Pid }

// Stop ends it.
func (p *Program) Stop() { stop(p.cmd, 2*time.Second) }

func (r *Run) start(cmd *exec.Cmd) (*Program, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Program{cmd}
	r.Cleanup(p.Stop)
	return p, nil
}

// listening waits until somebody listens on an address.
func (r *Run) listening(name, addr string) error {
	return Until(r.Context, 10*time.Second, name+" listens", func() (bool, error) {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return false, err
		}
		return true, c.Close()
	})
}

// Program starts a program that is installed, and waits until somebody listens on the address.
func (r *Run) Program(addr, path string, args ...string) (*Program, error) {
	cmd := exec.Command(path, args...)
	cmd.Stderr = os.Stderr
	p, err := r.start(cmd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, r.listening(path, addr)
}

// HAProxy starts HAProxy in TCP mode with two threads, one frontend for each upstream, and returns their addresses. A
// nil Program means that it is not installed, which the report then says.
func (r *Run) HAProxy(maxConnections int, upstreams ...string) (*Program, []string, error) {
	path := lookup("haproxy")
	if path == "" {
		r.Skip("HAProxy", "it is not installed (Debian: apt-get install haproxy)")
		return nil, nil, nil
	}
	config := fmt.Sprintf(`global
  nbthread 2
  maxconn %d
defaults
  mode tcp
  maxconn %d
  timeout connect 5s
  timeout client 1h
  timeout server 1h
`, maxConnections, maxConnections)
	var addrs []string
	for i, to := range upstreams {
		addrs = append(addrs, FreeAddr("tcp"))
		config += fmt.Sprintf("listen line%d\n  bind %s\n  server up %s\n", i, addrs[i], to)
	}
	file := r.path("haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(path, "-q", "-db", "-f", file)
	cmd.Stderr = os.Stderr
	p, err := r.start(cmd)
	if err != nil {
		return nil, nil, fmt.Errorf("haproxy: %w", err)
	}
	for _, addr := range addrs {
		if err := r.listening("HAProxy", addr); err != nil {
			return nil, nil, err
		}
	}
	return p, addrs, nil
}

// Node starts a program for Node that prints the address it listens on as its first line. A nil Program means that Node
// is not installed, which the report then says.
func (r *Run) Node(script string, args ...string) (*Program, string, error) {
	path := lookup("node")
	if path == "" {
		r.Skip("Node", "it is not installed (Debian: apt-get install nodejs)")
		return nil, "", nil
	}
	file := r.path("peer.js")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		return nil, "", err
	}
	cmd := exec.Command(path, append([]string{"--expose-gc", file}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	p, err := r.start(cmd)
	if err != nil {
		return nil, "", fmt.Errorf("node: %w", err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, "", fmt.Errorf("node ended before it listened: %w", err)
	}
	return p, strings.TrimSpace(addr), nil
}

// lookup finds a program, also where only root usually looks.
func lookup(name string) string {
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	return ""
}
