package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// SourceCmd is a source: the end of the three that holds sessions.
type SourceCmd struct {
	Listen   string        `default:"127.0.0.1:7001" placeholder:"HOST:PORT" help:"Where it answers (${default} unless told)."`
	Kind     string        `default:"ssh" placeholder:"NAME" help:"The kind of operation that its sessions are (${default} unless told)."`
	ID       string        `name:"id" default:"1" placeholder:"ID" help:"What COMMAND's session is called (${default} unless told)."`
	NoInput  bool          `help:"Do not stream what is typed into COMMAND: only what it shows."`
	Again    time.Duration `default:"10s" placeholder:"TIME" help:"How long a session that was kicked is over, before it begins anew (${default} unless told)."`
	Insecure bool          `help:"Allow a HOST beyond this machine: whoever reaches the port may view and kick."`
	What     []string      `arg:"" optional:"" passthrough:"" name:"what" help:"[FILE …] [-- COMMAND …]: recordings to play, and a program to run; a demonstration unless told."`
}

// act is what happens in a session.
type act struct {
	size session.Size                                    // of its terminal at first; none: DefaultSize
	play func(ctx context.Context, s *heldSession) error // returns when the session has ended, or the context has
}

// Run answers until Ctrl-C, or until COMMAND has ended, with its exit code.
func (c *SourceCmd) Run(ctx context.Context, std *stdio) error {
	files, command, err := c.split()
	if err != nil {
		return err
	}
	acts, err := c.acts(files, len(command) == 0)
	if err != nil {
		return err
	}
	if len(command) > 0 {
		if err := findProgram(command[0]); err != nil {
			return err
		}
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("%w: choose another address with --listen", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	end := newSourceEnd(ln, c.logger(std, command))
	var running sync.WaitGroup
	for id, a := range acts {
		s := end.hold(id, a.size)
		running.Go(func() { c.play(ctx, end, s, a) })
	}
	var program *heldSession
	runs, kick := context.WithCancel(ctx)
	defer kick()
	if len(command) > 0 {
		program = end.hold(c.ID, session.Size{})
		program.kill = kick
	}
	c.welcome(std, end, command)
	running.Go(func() { end.serve(ctx) })
	if program != nil {
		err = c.run(runs, std, program, command)
		stop()
	}
	running.Wait()
	return err
}

// split tells files from the program to run, and checks what the flags say.
func (c *SourceCmd) split() (files, command []string, err error) {
	files = c.What
	if i := slices.Index(c.What, "--"); i >= 0 {
		files, command = c.What[:i], c.What[i+1:]
		if len(command) == 0 {
			return nil, nil, badUsage("which program is to run? As in: switchboard source -- bash")
		}
	}
	for _, f := range files {
		if strings.HasPrefix(f, "-") {
			return nil, nil, badUsage("%s: flags stand before the files, and a program behind --", f)
		}
	}
	if c.Again < 0 {
		return nil, nil, badUsage("--again must not be negative")
	}
	if err := threeend.CheckName(c.Kind); err != nil {
		return nil, nil, badUsage("--kind: %v", err)
	}
	if err := threeend.CheckID(c.ID); err != nil {
		return nil, nil, badUsage("--id: %v", err)
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, nil, badUsage("--listen %s: must be HOST:PORT, as in 127.0.0.1:7001", c.Listen)
	}
	if ip, err := netip.ParseAddr(host); !c.Insecure && host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, nil, badUsage("--listen %s: whoever reaches it may view and kick, since the protocol has no signing in; "+
			"add --insecure if that is meant", c.Listen)
	}
	return files, command, nil
}

// acts are what plays, by the sessions' ids.
func (c *SourceCmd) acts(files []string, alone bool) (map[string]act, error) {
	if len(files) == 0 && alone {
		return demonstration, nil
	}
	acts := map[string]act{}
	for _, name := range files {
		base := filepath.Base(name)
		id := strings.TrimSuffix(base, filepath.Ext(base))
		if err := threeend.CheckID(id); err != nil {
			return nil, badUsage("%s cannot be a session's name: %v", name, err)
		}
		if _, twice := acts[id]; twice || !alone && id == c.ID {
			return nil, badUsage("two sessions would be called %s: rename %s", id, name)
		}
		reel := fileAct{name}
		size, err := reel.begins()
		if err != nil {
			return nil, err
		}
		acts[id] = act{size, reel.play}
	}
	return acts, nil
}

// play has a session live, and once it was kicked, live again after a while.
func (c *SourceCmd) play(ctx context.Context, end *sourceEnd, s *heldSession, a act) {
	for {
		if err := a.play(ctx, s); err != nil {
			end.log("%s ends: %v", s.id, err)
			s.end(threeend.Over)
		}
		if !pause(ctx, nil, c.Again) {
			return
		}
		s = end.hold(s.id, a.size)
		end.log("%s begins anew", s.id)
	}
}

// pause waits. It reports false where the context, or the session, ended first.
func pause(ctx context.Context, s *heldSession, d time.Duration) bool {
	var over <-chan struct{}
	if s != nil {
		over = s.over
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-over:
	case <-ctx.Done():
	}
	return false
}

// logger tells what is asked, except where a program has the terminal.
func (c *SourceCmd) logger(std *stdio, command []string) func(string, ...any) {
	if len(command) > 0 {
		return func(string, ...any) {}
	}
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(std.out, time.Now().Format(time.TimeOnly)+"  "+format+"\n", args...)
	}
}

// welcome says what there is, what to put into a configuration, and what to type next.
func (c *SourceCmd) welcome(std *stdio, end *sourceEnd, command []string) {
	out, addr, ids := std.out, end.ln.Addr().String(), end.names()
	if len(command) > 0 {
		out = std.err // what the program shows is what was asked for
	}
	for i, id := range ids {
		ids[i] = string(visible([]byte(id)))
	}
	program, folder := programName()
	if folder != "" {
		program = "cd " + shellQuote(folder) + " && " + program
	}
	ref := shellQuote(c.Kind + ":" + ids[0])
	fmt.Fprintf(out, "A source of %s sessions answers at %s: %s\n\n", c.Kind, addr, strings.Join(ids, ", "))
	fmt.Fprintf(out, "A server views them with this in its configuration, as in examples/sources.yaml\n"+
		"  sources:\n    - name: demo\n      kinds: {%s: \"%s\"}\n\nThen, in another terminal\n", c.Kind, addr)
	writeAligned(out, [][]string{{program + " watch " + ref, "# its screen, then what comes; Ctrl-C leaves"},
		{program + " kick " + ref, "# ends it for all, with code 3"}})
	fmt.Fprintln(out)
}

// run has a program run, and streams its terminal.
func (c *SourceCmd) run(ctx context.Context, std *stdio, s *heldSession, command []string) error {
	r := &runner{std: std, typed: asTerminal(std.in), shown: asTerminal(std.out), record: !c.NoInput, uplink: stage{s}}
	r.cols, r.rows = r.size()
	s.resize(session.Size{Cols: r.cols, Rows: r.rows})
	return r.run(ctx, command, os.Environ())
}

// stage is a program's terminal as a source's session.
type stage struct{ s *heldSession }

func (g stage) run()            {}
func (g stage) output(p []byte) { g.s.show(p) }
func (g stage) input(p []byte)  { g.s.typed(p) }

func (g stage) resize(text string) {
	size, _ := session.ParseSize(text) // of none, the terminal keeps what it has
	g.s.resize(size)
}

func (g stage) end(string) { g.s.end(threeend.Over) }
