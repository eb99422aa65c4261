package session

import "fmt"

// Cause is why a session ended: one word, the same in logs, recordings, the API, the command line and on the screen.
type Cause string

const (
	HungUp          Cause = "hung up"          // the far end closed the connection
	Reset           Cause = "reset"            // the connection broke
	Kicked          Cause = "kicked"           // somebody ended it by hand
	Idle            Cause = "idle"             // silent for longer than the listener allows
	Replaced        Cause = "replaced"         // another connection came with the same name
	Slow            Cause = "slow"             // the far end read too slowly for what waits for it
	Refused         Cause = "refused"          // the upstream, or a limit, said no
	Unreachable     Cause = "unreachable"      // the upstream did not answer in time
	Done            Cause = "done"             // the service had no more to do
	Failed          Cause = "failed"           // the service met an error
	Shutdown        Cause = "shutdown"         // Switchboard stopped, or its listener did
	RecordingFailed Cause = "recording failed" // the recording could not be written and the listener says: end
	Interrupted     Cause = "interrupted"      // Switchboard itself died; said of the recording at the next start
	LostNode        Cause = "lost node"        // the node that held the session is gone
)

// Causes lists every cause, in the order in which they are documented.
var Causes = []Cause{HungUp, Reset, Kicked, Idle, Replaced, Slow, Refused, Unreachable, Done, Failed, Shutdown,
	RecordingFailed, Interrupted, LostNode}

// ParseCause checks that s is one of Causes.
func ParseCause(s string) (Cause, error) {
	for _, c := range Causes {
		if string(c) == s {
			return c, nil
		}
	}
	return "", fmt.Errorf("no cause is named %q; the causes are %v", s, Causes)
}

// End is how a session ended.
type End struct {
	Time   int64  `json:"time"` // Unix time in µs
	Cause  Cause  `json:"cause"`
	By     string `json:"by,omitempty"`     // who did it, for Kicked
	Reason string `json:"reason,omitempty"` // what that person gave as reason
	Detail string `json:"detail,omitempty"` // the error behind the cause, for people
	Exit   *int   `json:"exit,omitempty"`   // of the program whose terminal it was: its exit status, if that is known
	Code   int    `json:"code,omitempty"`   // of a three-end source's session: 3, it was kicked there, or 5; see package threeend
}

// Error makes an End usable as the cause of a cancelled context.
func (e *End) Error() string {
	s := string(e.Cause)
	if e.By != "" {
		s += " by " + e.By
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	detail := e.Detail
	if e.Exit != nil {
		status := fmt.Sprintf("exit status %d", *e.Exit)
		s += ", " + status
		if detail == status {
			detail = ""
		}
	}
	if detail != "" {
		s += " (" + detail + ")"
	}
	return s
}
