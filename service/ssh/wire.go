package ssh

import (
	"fmt"

	"golang.org/x/crypto/ssh"
)

// version is how the bastion calls itself, on both sides.
const version = "SSH-2.0-Switchboard"

// Payloads of requests and channels: RFC 4254, sections 6 and 7.
type (
	ptyRequest struct {
		Term                      string
		Cols, Rows, Width, Height uint32
		Modes                     string
	}
	windowChange struct{ Cols, Rows, Width, Height uint32 }
	envRequest   struct{ Name, Value string }
	textRequest  struct{ Text string } // exec: the command; subsystem, signal: the name
	exitStatus   struct{ Status uint32 }
	exitSignal   struct {
		Signal         string
		Core           bool
		Error, Langage string
	}
	directTCPIP struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	forwardRequest struct {
		Host string
		Port uint32
	}
)

// Names of requests and channels.
const (
	keepalive     = "keepalive@openssh.com"
	agentRequest  = "auth-agent-req@openssh.com"
	agentChannel  = "auth-agent@openssh.com"
	tcpipForward  = "tcpip-forward"
	cancelForward = "cancel-tcpip-forward"
)

// Bounds of what a client says of itself.
const (
	maxEnv     = 64       // variables
	maxEnvSize = 32 << 10 // bytes of all
	maxNoted   = 4 << 10  // bytes of a command that its note has
	maxSide    = 1000     // columns, and rows, of a terminal
)

// terminalSize is the size of a terminal as sessions have it.
func terminalSize(cols, rows uint32) (int, int) {
	if cols == 0 || rows == 0 {
		return 80, 24 // as programs take it that find none
	}
	return int(min(cols, maxSide)), int(min(rows, maxSide))
}

func sizeText(cols, rows int) string { return fmt.Sprintf("%dx%d", cols, rows) }

// shorten is a text for a note.
func shorten(text string) string {
	if len(text) <= maxNoted {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes in all)", text[:maxNoted], len(text))
}

// answer answers a request, if it wants that.
func answer(r *ssh.Request, ok bool) {
	if r.WantReply {
		r.Reply(ok, nil)
	}
}
