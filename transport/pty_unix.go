//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package transport

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// PTY is a program in a pseudo-terminal of its own, as a Conn: what is received is what the program shows, what is written
// is typed. io.EOF comes when the program, and all that has its terminal, has ended.
type PTY struct {
	file *os.File
	raw  syscall.RawConn
	cmd  *exec.Cmd

	exited chan struct{} // closed once status is known, and nothing of the program's first process is left
	status ExitStatus

	mu    sync.Mutex
	front int // the foreground's process group when the terminal was closed; 0: it is open
}

// StartPTY starts a program in a new session, whose terminal the PTY is. Who starts it closes it, and waits for Exited.
func StartPTY(opt PTYOptions) (*PTY, error) {
	far, tty, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("no pseudo-terminal can be had: %w", err)
	}
	defer far.Close()
	defer tty.Close()
	if opt.NoEcho {
		if err := stopEcho(tty); err != nil {
			return nil, err
		}
	}
	p := &PTY{cmd: &exec.Cmd{Dir: opt.Dir, Env: opt.Env, Args: opt.Command, Stdin: tty, Stdout: tty, Stderr: tty,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true}}, exited: make(chan struct{})}
	if p.cmd.Path, err = findProgram(opt.Command[0]); err != nil {
		return nil, err
	}
	if p.file, err = pollable(far); err != nil {
		return nil, err
	}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.Resize(cmp.Or(opt.Cols, defaultCols), cmp.Or(opt.Rows, defaultRows))
	}
	if err == nil {
		mindHangUps()
		err = p.cmd.Start()
	}
	if err != nil {
		p.file.Close()
		return nil, err
	}
	go p.wait() // ends with the program
	return p, nil
}

// mindHangUps has programs that are started mind SIGHUP where this one does not, as under nohup: else none of them could be
// hung up. What is handled here is left to its default there.
var mindHangUps = sync.OnceFunc(func() {
	if signal.Ignored(unix.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), unix.SIGHUP) // nobody looks: this program still does not mind
	}
})

// findProgram is where a program is; a path is one already.
func findProgram(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	return exec.LookPath(name)
}

// pollable is a file on which one can wait with a deadline, and which can be closed meanwhile: package pty leaves a blocking one.
func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func (p *PTY) wait() {
	p.cmd.Wait() // what it ended with, the state says
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		p.status = ExitStatus{Code: 128 + int(ws.Signal()), Signal: unix.SignalName(ws.Signal())}
	} else {
		p.status.Code = p.cmd.ProcessState.ExitCode()
	}
	close(p.exited)
}

// Exited is closed when the program has ended. What it showed last may still have to be received.
func (p *PTY) Exited() <-chan struct{} { return p.exited }

// Status is how the program ended, once it has. The code of a program that was killed is 128 and the signal's number, as a
// shell says it.
func (p *PTY) Status() ExitStatus { return p.status }

// Resize tells the program that its terminal has another size.
func (p *PTY) Resize(cols, rows int) error {
	var err error
	size := unix.Winsize{Col: uint16(cols), Row: uint16(rows)}
	if e := p.raw.Control(func(fd uintptr) { err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &size) }); e != nil {
		return e
	}
	return os.NewSyscallError("ioctl", err)
}

// Signal sends a signal to the program that is in the terminal's foreground.
func (p *PTY) Signal(sig os.Signal) error {
	number, ok := sig.(syscall.Signal)
	if !ok {
		return errors.ErrUnsupported
	}
	return unix.Kill(-p.groups()[0], number)
}

// groups are the process groups of the terminal's foreground and of the first process, which may be the same.
func (p *PTY) groups() []int {
	first := p.cmd.Process.Pid
	p.mu.Lock()
	defer p.mu.Unlock()
	front := p.front
	if front == 0 {
		front = p.foreground()
	}
	if front <= 0 || front == first {
		return []int{first}
	}
	return []int{front, first}
}

func (p *PTY) foreground() (group int) {
	p.raw.Control(func(fd uintptr) { group, _ = unix.IoctlGetInt(int(fd), unix.TIOCGPGRP) })
	return group
}

// HangUp ends the program, as a terminal that is gone does: by SIGHUP, and what is left of it after the grace by SIGKILL.
// It waits for that, and returns an error if the program may not be killed.
func (p *PTY) HangUp(grace time.Duration) error {
	groups := p.groups()
	for _, g := range groups {
		unix.Kill(-g, unix.SIGHUP) // an error says that it is gone, or tells itself below
		unix.Kill(-g, unix.SIGCONT)
	}
	end := time.NewTimer(grace)
	defer end.Stop()
	look := time.NewTicker(groupLook) // nothing tells when a group is empty
	defer look.Stop()
	for exited := p.exited; ; {
		groups = slices.DeleteFunc(groups, func(g int) bool { return unix.Kill(-g, 0) == unix.ESRCH })
		if len(groups) == 0 {
			<-p.exited
			return nil
		}
		select {
		case <-exited:
			exited = nil
		case <-look.C:
		case <-end.C:
			return p.kill(groups)
		}
	}
}

func (p *PTY) kill(groups []int) error {
	var err error
	for _, g := range groups {
		if e := unix.Kill(-g, unix.SIGKILL); e != nil && e != unix.ESRCH {
			err = fmt.Errorf("process group %d cannot be killed: %w", g, e)
		}
	}
	select {
	case <-p.exited:
		return err
	case <-time.After(killLimit):
		return errors.Join(err, fmt.Errorf("process %d does not end", p.cmd.Process.Pid))
	}
}

// Receive implements Conn.
func (p *PTY) Receive(sink Sink) error {
	r := readings.Get().(*reading)
	r.sink = sink
	err := p.raw.Read(r.readable)
	if err == nil {
		err = r.err
	}
	r.sink, r.err = nil, nil
	readings.Put(r)
	return ended(err)
}

// Read implements net.Conn.
func (p *PTY) Read(b []byte) (int, error) {
	n, err := p.file.Read(b)
	return n, ended(err)
}

// ended makes an end of EIO, which is how Linux says that nobody has the terminal any more.
func ended(err error) error {
	if errors.Is(err, unix.EIO) {
		return io.EOF
	}
	return err
}

// Write types. It waits for a program that does not read.
func (p *PTY) Write(b []byte) (int, error) { return p.file.Write(b) }

// Close takes the terminal away, which the system tells the program by SIGHUP. See HangUp for one that does not mind.
func (p *PTY) Close() error {
	p.mu.Lock()
	if p.front == 0 {
		p.front = max(p.foreground(), p.cmd.Process.Pid)
	}
	p.mu.Unlock()
	return p.file.Close()
}

// TryWrite implements Conn.
func (p *PTY) TryWrite([]byte) (int, error) { return 0, nil }

// CloseWrite implements Conn: a terminal has no half-close.
func (p *PTY) CloseWrite() error { return ErrUnsupported }

// Datagrams implements Conn.
func (p *PTY) Datagrams() bool { return false }

// LocalAddr implements net.Conn.
func (p *PTY) LocalAddr() net.Addr { return ptyAddr{} }

// RemoteAddr implements net.Conn.
func (p *PTY) RemoteAddr() net.Addr { return ptyAddr{} }

// SetDeadline implements net.Conn.
func (p *PTY) SetDeadline(t time.Time) error { return p.file.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (p *PTY) SetReadDeadline(t time.Time) error { return p.file.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (p *PTY) SetWriteDeadline(t time.Time) error { return p.file.SetWriteDeadline(t) }

func stopEcho(tty *os.File) error {
	t, err := unix.IoctlGetTermios(int(tty.Fd()), getTermios)
	if err == nil {
		t.Lflag &^= unix.ECHO
		err = unix.IoctlSetTermios(int(tty.Fd()), setTermios, t)
	}
	return os.NewSyscallError("ioctl", err)
}

var _ Conn = (*PTY)(nil)
