// Package index is the card file of recorded sessions: list, filter, find. It can be thrown away at any time, since it
// is rebuilt from the recordings.
package index

import (
	"strings"

	"github.com/switchboard-relay/switchboard/session"
)

// Filter chooses sessions. Zero fields choose all, except that rooms' own recordings are left out unless asked for.
type Filter struct {
	Prefix    string        // the id begins so
	Listener  string        // exactly
	Transport string        // exactly
	Name      string        // contains, whatever the case
	Remote    string        // contains, whatever the case
	Cause     session.Cause // exactly
	Since     int64         // were there then or later: live, or ended at or after it, Unix µs
	Until     int64         // began before, Unix µs
	Rooms     bool          // rooms' own recordings as well
	Limit     int           // at most so many, the newest; 0: all
}

// Match reports whether a session is chosen. List chooses by the same rules.
func (f Filter) Match(s *session.Summary) bool {
	switch {
	case !strings.HasPrefix(string(s.ID), f.Prefix),
		f.Listener != "" && s.Listener != f.Listener,
		f.Transport != "" && s.Transport != f.Transport,
		!contains(s.Name, f.Name),
		!contains(s.Remote, f.Remote),
		f.Cause != "" && s.Cause != f.Cause,
		f.Since != 0 && s.State != session.Live && s.End < f.Since,
		f.Until != 0 && s.Start >= f.Until,
		!f.Rooms && f.Transport != "room" && s.Transport == "room":
		return false
	}
	return true
}

func contains(s, part string) bool {
	return part == "" || strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// where is the filter as SQL, with its arguments.
func (f Filter) where() (string, []any) {
	var conditions []string
	var args []any
	add := func(condition string, arg any) {
		conditions = append(conditions, condition)
		args = append(args, arg)
	}
	if f.Prefix != "" {
		add("id >= ?", f.Prefix)
		add("id < ?", f.Prefix+"\x7f")
	}
	if f.Listener != "" {
		add("listener = ?", f.Listener)
	}
	if f.Transport != "" {
		add("transport = ?", f.Transport)
	} else if !f.Rooms {
		conditions = append(conditions, "transport <> 'room'")
	}
	if f.Name != "" {
		add("instr(folded_name, ?) > 0", strings.ToLower(f.Name))
	}
	if f.Remote != "" {
		add("instr(lower(remote), ?) > 0", strings.ToLower(f.Remote))
	}
	if f.Cause != "" {
		add("cause = ?", string(f.Cause))
	}
	if f.Since != 0 {
		add("end >= ?", f.Since)
	}
	if f.Until != 0 {
		add("start < ?", f.Until)
	}
	if len(conditions) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(conditions, " AND "), args
}
