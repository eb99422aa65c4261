package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/switchboard-relay/switchboard/announce"
	"github.com/switchboard-relay/switchboard/transport"
	"github.com/switchboard-relay/switchboard/web"
)

// RunCmd runs a program in a terminal here, and makes it a session of a server.
type RunCmd struct {
	serverFlags
	Name     string   `placeholder:"TEXT" help:"The session's name (the program's unless told)."`
	NoInput  bool     `help:"Do not record what is typed: only what the program shows."`
	Strict   bool     `help:"End the program once it is not recorded any more."`
	Announce string   `enum:"title,line,off" default:"title" help:"How to tell you that somebody types along: in the window's title, by a line, or not at all."`
	Command  []string `arg:"" passthrough:"" name:"command" help:"The program and its arguments."`
}

// Exit codes of run besides the program's own, as other programs that run one have them.
const (
	exitNotRun   = 125 // no session could be begun
	exitNotStart = 126 // the program could not be started
	exitNotFound = 127 // there is no such program
)

// exitError ends with a code of its own. The error is nil where there is nothing to say.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprint("exit code ", e.code)
	}
	return e.err.Error()
}

// hangUpGrace is how long a program has between SIGHUP and SIGKILL.
const hangUpGrace = 5 * time.Second

// Run ends with the program, and with its exit code.
func (c *RunCmd) Run(ctx context.Context, std *stdio) error {
	command := c.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		return badUsage("which program is to run? As in: switchboard run -- bash")
	}
	if err := findProgram(command[0]); err != nil {
		return err
	}
	r := &runner{std: std, typed: asTerminal(std.in), shown: asTerminal(std.out), record: !c.NoInput, strict: c.Strict}
	r.cols, r.rows = r.size()
	if r.shown != nil && c.Announce != string(announce.Off) {
		r.voice = announce.New(announce.Way(c.Announce), r.putAnnouncement)
	}
	hello := newHello(command)
	hello.Name = cmp.Or(c.Name, hello.Name)
	hello.Size = fmt.Sprintf("%dx%d", r.cols, r.rows)
	link := newUplink(c.serverFlags, hello, r)
	r.uplink = link
	id, err := link.begin(ctx)
	var usage usageError
	if errors.As(err, &usage) {
		return err
	}
	if err != nil {
		return &exitError{exitNotRun, fmt.Errorf("%w; the program was not started", err)}
	}
	if asTerminal(std.err) != nil {
		std.note("recorded as %s", id.Short())
	}
	return r.run(ctx, command, append(os.Environ(), "SWITCHBOARD_SESSION="+string(id)))
}

// findProgram says why a program cannot be run, before anything is begun for it.
func findProgram(name string) error {
	_, err := exec.LookPath(name)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist):
		return &exitError{exitNotFound, fmt.Errorf("there is no program %s", name)}
	}
	return &exitError{exitNotStart, fmt.Errorf("%s cannot be started: %w", name, err)}
}

// newHello says who runs what, and nothing more: not the environment.
func newHello(command []string) web.RunHello {
	h := web.RunHello{Name: filepath.Base(command[0]), Command: strings.Join(command, " "), User: "somebody", Host: "somewhere"}
	if len(h.Command) > 1000 {
		h.Command = strings.ToValidUTF8(h.Command[:1000], "") + " …"
	}
	h.Command = strings.ToValidUTF8(h.Command, "�")
	if u, err := user.Current(); err == nil {
		h.User = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		h.Host = host
	}
	return h
}

// onlooker is told what passes in a program's terminal.
type onlooker interface {
	run() // has it told, until end
	output(p []byte)
	input(p []byte)
	resize(size string)
	end(how string) // the last, of a program that has ended
}

// runner is a program in a terminal, between the person's own terminal, if there is one, and an onlooker.
type runner struct {
	std     *stdio
	typed   *os.File // the terminal at which is typed; nil: what comes is no typing
	shown   *os.File // the terminal that shows; nil: a file or a pipe
	record  bool     // what is typed
	strict  bool
	uplink  onlooker
	program *transport.PTY

	cols, rows int // owned by run

	voice   *announce.Announcer // nil: nothing is announced
	showing sync.Mutex          // orders what is written to who runs it
}

// size is that of the terminal that shows, or types.
func (r *runner) size() (cols, rows int) {
	for _, f := range []*os.File{r.shown, r.typed} {
		if f == nil {
			continue
		}
		if cols, rows, err := term.GetSize(int(f.Fd())); err == nil && cols > 0 && rows > 0 {
			return min(cols, 1000), min(rows, 1000)
		}
	}
	return 80, 24
}

func (r *runner) run(ctx context.Context, command, env []string) error {
	if os.Getenv("TERM") == "" {
		env = append(env, "TERM=xterm-256color")
	}
	var err error
	r.program, err = transport.StartPTY(transport.PTYOptions{Command: command, Env: env, Cols: r.cols, Rows: r.rows, NoEcho: r.typed == nil})
	if err != nil {
		go r.uplink.run() // ends with end
		r.uplink.end("the program could not be started")
		return &exitError{exitNotStart, fmt.Errorf("%s cannot be started: %w", command[0], err)}
	}
	restore := r.raw()
	go r.uplink.run() // ends with end
	signals, quiet := signalsFor()
	defer quiet()
	go r.typeIn() // ends with the input, at the latest when this program does
	shown := make(chan error, 1)
	go func() { shown <- r.show() }()
	r.watch(ctx, signals, shown)
	status := r.program.Status()
	r.program.Close()
	r.hush()
	restore()
	r.uplink.end(status.String())
	if status.Code == 0 {
		return nil
	}
	return &exitError{code: status.Code}
}

// What a program showed last is read when it has ended, unless something that it left behind has the terminal, and goes on.
const (
	shownLimit = 2 * time.Second // of waiting
	shownMost  = 1 << 20         // bytes, more than the system keeps of a terminal
)

// watch hands on what happens besides, until the program has ended and shown all.
func (r *runner) watch(ctx context.Context, signals <-chan os.Signal, shown <-chan error) {
	gone, exited := ctx.Done(), r.program.Exited()
	for shown != nil || exited != nil {
		select {
		case <-exited:
			exited = nil
			r.program.SetReadDeadline(time.Now().Add(shownLimit))
		case err := <-shown:
			shown = nil
			if err != nil {
				go r.program.HangUp(hangUpGrace) // ends with the program; nobody can see it any more
			}
		case sig := <-signals:
			switch {
			case isResize(sig):
				r.resize()
			case isHangUp(sig):
				go r.program.HangUp(hangUpGrace) // ends with the program
			default:
				r.program.Signal(sig) // an error says that it has ended
			}
		case <-gone:
			gone = nil
			if context.Cause(ctx) == context.Canceled { // by no signal: those come in by themselves
				go r.program.HangUp(hangUpGrace) // ends with the program
			}
		}
	}
}

func (r *runner) resize() {
	cols, rows := r.size()
	if cols == r.cols && rows == r.rows {
		return
	}
	r.cols, r.rows = cols, rows
	r.program.Resize(cols, rows)
	r.uplink.resize(fmt.Sprintf("%dx%d", cols, rows))
}

// raw hands every key to the program. It returns what gives the person's terminal back.
func (r *runner) raw() (restore func()) {
	if r.typed == nil {
		return func() {}
	}
	before, err := term.MakeRaw(int(r.typed.Fd()))
	if err != nil {
		return func() {}
	}
	return func() { term.Restore(int(r.typed.Fd()), before) }
}

const runPiece = 32 << 10 // bytes read at once

// show passes on what the program shows: to the person first, then to the server.
func (r *runner) show() error {
	buf := make([]byte, runPiece)
	left, most := shownLimit, shownMost
	for left > 0 && most > 0 {
		began, over := time.Now(), false
		select {
		case <-r.program.Exited():
			over = true
			r.program.SetReadDeadline(began.Add(left))
		default: // watch ends a Read that waits then
		}
		n, err := r.program.Read(buf)
		if over { // what the person's side takes does not count
			left -= time.Since(began)
			most -= n
		}
		if n > 0 {
			if err := r.write(buf[:n]); err != nil {
				return err
			}
			r.uplink.output(buf[:n])
		}
		if err != nil {
			return nil
		}
	}
	return nil
}

// write shows the person what the program does.
func (r *runner) write(p []byte) error {
	r.showing.Lock()
	defer r.showing.Unlock()
	if r.voice != nil {
		defer r.voice.Passed(p)
	}
	_, err := r.std.out.Write(p)
	return err
}

// announce tells the person who types along.
func (r *runner) announce(text string) {
	if r.voice != nil {
		r.voice.Say(text)
	}
}

func (r *runner) putAnnouncement(next func() []byte) error {
	r.showing.Lock()
	defer r.showing.Unlock()
	_, err := r.std.out.Write(next())
	return err
}

// hush takes back what was announced.
func (r *runner) hush() {
	if r.voice != nil {
		r.putAnnouncement(r.voice.Undo)
		r.voice.Close()
	}
}

// typeIn passes on what is typed, without ever waiting for the server: on record first, since what is typed last may end the
// program.
func (r *runner) typeIn() {
	buf := make([]byte, 4<<10)
	last := byte('\n')
	for {
		n, err := r.std.in.Read(buf)
		if n > 0 {
			last = buf[n-1]
			if r.record {
				r.uplink.input(buf[:n])
			}
			if _, err := r.program.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if r.typed == nil && errors.Is(err, io.EOF) {
				r.program.Write(endOfInput(last))
			}
			return
		}
	}
}

// endOfInput is what a person types at the end: behind half a line it takes two.
func endOfInput(last byte) []byte {
	const end = 'D' & 31
	if last == '\n' {
		return []byte{end}
	}
	return []byte{end, end}
}

// typeFor types what somebody sent from the server. It waits for a program that does not read.
func (r *runner) typeFor(p []byte) {
	if r.program != nil {
		r.program.Write(p)
	}
}

// kicked ends the program: somebody asked for it.
func (r *runner) kicked() {
	if r.program != nil {
		r.program.HangUp(hangUpGrace)
	}
}

// say tells the person something while the program has the terminal.
func (r *runner) say(format string, args ...any) {
	end := "\n"
	if r.typed != nil {
		end = "\r\n"
		io.WriteString(r.std.err, end)
	}
	fmt.Fprintf(r.std.err, "switchboard: "+format+end, args...)
}
