package device

import "github.com/switchboard-relay/switchboard/frame"

// KindName is the word for what a message is for.
func KindName(k frame.Kind) string {
	switch k {
	case frame.Registration:
		return "registration"
	case frame.Heartbeat:
		return "heartbeat"
	case frame.Junk:
		return "junk"
	}
	return "data"
}

// FlagNames are the words for what is wrong with a message, nil if nothing is.
func FlagNames(f frame.Flags) []string {
	var names []string
	for _, flag := range []struct {
		flag frame.Flags
		name string
	}{{frame.BadCheck, "bad check"}, {frame.BadLength, "bad length"}, {frame.TooLong, "too long"}, {frame.Cut, "cut"}} {
		if f&flag.flag != 0 {
			names = append(names, flag.name)
		}
	}
	return names
}
