//go:build linux

package benchkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// Role is what a process started by Spawn does: it answers its parent's requests until there are no more.
type Role func(p *Parent) error

// Parent is a role's view of the process that started it.
type Parent struct {
	in  *json.Decoder
	out *json.Encoder
}

// answer is one line from child to parent.
type answer struct {
	Error string          `json:"error,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

// Next waits for the next request; io.EOF means that the parent is done.
func (p *Parent) Next(request any) error { return p.in.Decode(request) }

// Reply answers the request.
func (p *Parent) Reply(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return p.out.Encode(answer{Value: b})
}

// Serve answers every request by handle, until the parent is done.
func Serve[Q, A any](p *Parent, handle func(Q) (A, error)) error {
	for {
		var request Q
		if err := p.Next(&request); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		a, err := handle(request)
		if err != nil {
			return err
		}
		if err := p.Reply(a); err != nil {
			return err
		}
	}
}

func serveParent(role Role) error {
	signal.Ignore(os.Interrupt) // the parent decides when this process ends
	p := &Parent{in: json.NewDecoder(os.Stdin), out: json.NewEncoder(os.Stdout)}
	if role == nil {
		return p.out.Encode(answer{Error: "no such role"})
	}
	err := role(p)
	if err != nil {
		p.out.Encode(answer{Error: err.Error()})
	}
	return err
}

// Child is this program in another process, in one of its roles; or a Script.
type Child struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	enc  *json.Encoder
	dec  *json.Decoder
	over bool
}

// Spawn starts this program in another process in the given role.
func (r *Run) Spawn(role string) (*Child, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	return r.child(role, cmd)
}

// Script starts a program for Node that answers requests as a role does: a line of JSON each, {"value": …} or
// {"error": "…"}.
func (r *Run) Script(path string) (*Child, error) {
	node := lookup("node")
	if node == "" {
		return nil, errors.New("node is not installed (Debian: apt-get install nodejs)")
	}
	return r.child(filepath.Base(path), exec.Command(node, path))
}

func (r *Run) child(name string, cmd *exec.Cmd) (c *Child, err error) {
	c = &Child{name: name, cmd: cmd}
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.enc, c.dec = json.NewEncoder(c.in), json.NewDecoder(out)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	r.Cleanup(c.Close)
	return c, nil
}

// PID is the child's process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Send sends a request without waiting for its answer.
func (c *Child) Send(request any) error {
	if err := c.enc.Encode(request); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// Receive waits for the answer to the request sent first of those not answered yet.
func (c *Child) Receive(into any) error {
	var a answer
	if err := c.dec.Decode(&a); err != nil {
		return fmt.Errorf("%s ended: %w", c.name, err)
	}
	if a.Error != "" {
		return fmt.Errorf("%s: %s", c.name, a.Error)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(a.Value, into)
}

// Call sends a request and waits for its answer.
func (c *Child) Call(request, into any) error {
	if err := c.Send(request); err != nil {
		return err
	}
	return c.Receive(into)
}

// Close ends the process, and everything that it holds.
func (c *Child) Close() {
	if c.over {
		return
	}
	c.over = true
	c.in.Close()
	kill := time.AfterFunc(3*time.Second, func() { c.cmd.Process.Kill() })
	defer kill.Stop()
	c.cmd.Wait()
}

// stop asks a program to end, and kills it after the limit. It returns how long that took.
func stop(cmd *exec.Cmd, limit time.Duration) (time.Duration, error) {
	start := time.Now()
	cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	defer kill.Stop()
	err := cmd.Wait()
	return time.Since(start), err
}
