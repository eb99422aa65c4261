package transport

import (
	"strconv"
	"time"
)

// PTYOptions are a program and the terminal that it is to have.
type PTYOptions struct {
	Command    []string // the program and its arguments
	Dir        string   // where it runs; default here
	Env        []string // NAME=VALUE, all of it
	Cols, Rows int      // of the terminal; default 80, 24
	NoEcho     bool     // what is typed is not shown, until the program wants that
}

// ExitStatus is how a program ended.
type ExitStatus struct {
	Code   int
	Signal string // that killed it, as in SIGKILL; or empty
}

func (s ExitStatus) String() string {
	if s.Signal != "" {
		return "killed by " + s.Signal
	}
	return "exit status " + strconv.Itoa(s.Code)
}

const (
	defaultCols, defaultRows = 80, 24

	groupLook = 20 * time.Millisecond // between two looks whether all of a program has ended
	killLimit = time.Second           // for what is killed to end
)

// ptyAddr is the address of either end: there is none.
type ptyAddr struct{}

func (ptyAddr) Network() string { return "pty" }
func (ptyAddr) String() string  { return "" }
