//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package transport

import (
	"errors"
	"os"
	"time"
)

// PTY is a program in a pseudo-terminal, of which there are none here.
type PTY struct{ Conn }

// StartPTY says that there are no pseudo-terminals.
func StartPTY(PTYOptions) (*PTY, error) { return nil, errors.ErrUnsupported }

// Exited implements nothing.
func (*PTY) Exited() <-chan struct{} { return nil }

// Status implements nothing.
func (*PTY) Status() ExitStatus { return ExitStatus{} }

// Resize implements nothing.
func (*PTY) Resize(_, _ int) error { return errors.ErrUnsupported }

// Signal implements nothing.
func (*PTY) Signal(os.Signal) error { return errors.ErrUnsupported }

// HangUp implements nothing.
func (*PTY) HangUp(time.Duration) error { return errors.ErrUnsupported }
