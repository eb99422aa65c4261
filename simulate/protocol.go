package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// protocol is how a kind of device talks. It is shared by all devices, and has no state: that is in voice.
type protocol interface {
	// register appends what a device says first; nothing, if its protocol has no such thing.
	register(b []byte, v *voice) []byte
	// message appends a message with a mark, of at least so many bytes on the wire.
	message(b []byte, v *voice, number uint64, at time.Time, size int) []byte
	// heartbeat appends what says only that the device is there.
	heartbeat(b []byte, v *voice) []byte
	// take reads one thing that the server says at the beginning of p, and returns how many bytes it is; 0: it is not
	// whole yet. What is to be answered is appended to b.
	take(b []byte, v *voice, p []byte) (used int, h heard, answer []byte)
}

// voice is how one device talks on one connection.
type voice struct {
	name       string
	awaits     bool   // a registration was sent, and is not answered yet
	registered bool   // the device may say what it has to say
	serial     uint16 // of the next frame
	answers    bool   // commands are to be answered
	reply      string // to a registration, of protocols that have none of their own
}

// heard is what the server said.
type heard uint8

const (
	noise      heard   = iota // nothing that the device knows
	reply                     // to something that the device said
	accepted                  // the registration
	rejected                  // the registration
	aCommand                  // the device is to do something
	halfWay                   // the registration goes on: the answer is a part of it
	incomplete = noise        // with used 0: more bytes are needed
)

// kind is a protocol with the names that its devices may have.
type kind struct {
	protocol
	digits int    // of a name; 0: any length, and letters
	prefix string // of names, unless told
}

var kinds = map[string]kind{
	"etung":     {etung{}, 0, "860000"},
	"raw":       {plain{}, 0, "860000"},
	"line":      {plain{end: "\n"}, 0, "860000"},
	"gt06":      {gt06{}, 15, "860000"},
	"jt808":     {jt808{}, 12, "1380"},
	"h02":       {h02{}, 0, "860000"},
	"tk103":     {tk103{}, 12, "1380"},
	"gps103":    {gps103{}, 15, "860000"},
	"teltonika": {teltonika{}, 15, "860000"},
}

// Protocols are those that devices can have, by name.
func Protocols() []string {
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// usualDigits is how long a name is where its protocol does not say: an IMEI's length.
const usualDigits = 15

// namer makes the names of devices.
func namer(k kind, prefix string, first, count int) (func(i int) string, error) {
	if prefix == "" {
		prefix = k.prefix
	}
	width := k.digits
	if width > 0 && strings.Trim(prefix, "0123456789") != "" {
		return nil, fmt.Errorf("name prefix %q: names of this protocol are %d digits", prefix, width)
	}
	if !isName([]byte(prefix)) {
		return nil, fmt.Errorf("name prefix %q: must be letters, digits, and . - _", prefix)
	}
	if width == 0 {
		width = max(usualDigits, len(prefix)+6)
	}
	if last := fmt.Sprint(first + count - 1); first < 0 || len(prefix)+len(last) > width || width > maxName {
		return nil, fmt.Errorf("name prefix %q leaves %d digits: %d devices from number %d need %d", prefix, max(0, width-len(prefix)), count, first, len(last))
	}
	return func(i int) string { return fmt.Sprintf("%s%0*d", prefix, width-len(prefix), first+i) }, nil
}

// bcd appends digits as two in each byte.
func bcd(b []byte, digits string) []byte {
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	for i := 0; i < len(digits); i += 2 {
		b = append(b, (digits[i]-'0')<<4|(digits[i+1]-'0'))
	}
	return b
}
