package frame

// Spec says how a listener's bytes are cut, and how devices say who they are. It is part of the configuration, and, as
// JSON, of each session's record, so that a recording reads the same for ever.
type Spec struct {
	// Framers in order: the first whose First fits the connection's first bytes cuts all of it, and the last if none does. One at least.
	Framers FramerSpecs `yaml:"framers" json:"framers"`
	// Register is how names are found in messages, besides what presets know; nil: only that.
	Register *RegisterSpec `yaml:"register" json:"register,omitempty"`
	// Heartbeats are messages that say only that the device is there: regular expressions on bytes, of whole messages.
	Heartbeats []HeartbeatSpec `yaml:"heartbeats" json:"heartbeats,omitempty"`
}

// FramerSpec is a preset, or a framer with its settings.
type FramerSpec struct {
	Preset string `yaml:"preset" json:"preset,omitempty"` // etung, gt06, jt808, h02, tk103, gps103, teltonika, modbus-tcp, modbus-rtu, tpkt, usr-dtu
	Type   string `yaml:"type" json:"type,omitempty"`     // raw, line, delimiters, between, fixed, length, gap
	First  string `yaml:"first" json:"first,omitempty"`   // what the first bytes must be, as bytes are written below; default: as its messages begin
	Max    int    `yaml:"max" json:"max,omitempty"`       // bytes of a message; default the preset's, or 64 KiB; at most 16 MiB

	Delimiters []string `yaml:"delimiters" json:"delimiters,omitempty"` // delimiters: the earliest counts, and of those at one place the first listed
	Keep       bool     `yaml:"keep" json:"keep,omitempty"`             // line, delimiters, between: leave them in Data

	Start  string            `yaml:"start" json:"start,omitempty"`   // between
	End    string            `yaml:"end" json:"end,omitempty"`       // between
	Escape map[string]string `yaml:"escape" json:"escape,omitempty"` // between: what stands for what, within a message

	Size int `yaml:"size" json:"size,omitempty"` // fixed; h02: how long binary messages that begin with "$" are, 32 (default) or 45

	Offset int    `yaml:"offset" json:"offset,omitempty"` // length: where the field is
	Width  int    `yaml:"width" json:"width,omitempty"`   // length: 1, 2, 3, 4 or 8 bytes
	Adjust int    `yaml:"adjust" json:"adjust,omitempty"` // length: added to what the field says, to count the bytes behind it; may be negative
	Strip  int    `yaml:"strip" json:"strip,omitempty"`   // length, fixed: bytes taken away from the beginning of Data
	Endian string `yaml:"endian" json:"endian,omitempty"` // length: big (default) or little
	Sync   string `yaml:"sync" json:"sync,omitempty"`     // length: what each message begins with; what else comes is junk up to the next

	Gap string `yaml:"gap" json:"gap,omitempty"` // gap: silence that ends a message, as in 50ms; modbus-rtu: one that ends what is none, default 500ms

	// Check of any framer that is no preset: none (default), xor, sum8, crc16-modbus, crc16-x25, crc16-ibm, crc16-ccitt (which begins
	// with FFFF), crc32. Of the bytes from CheckFrom to, exclusive, CheckTo (negative: from the end); the sum lies at CheckTo, by default
	// at the end. They are those of the message without its delimiters and escapes, before Strip.
	Check       string `yaml:"check" json:"check,omitempty"`
	CheckFrom   int    `yaml:"check_from" json:"check_from,omitempty"`
	CheckTo     int    `yaml:"check_to" json:"check_to,omitempty"`
	CheckEndian string `yaml:"check_endian" json:"check_endian,omitempty"` // big (default) or little
	OnBad       string `yaml:"on_bad" json:"on_bad,omitempty"`             // flag (default), or end: the session ends

	Reply *bool `yaml:"reply" json:"reply,omitempty"` // of presets: answer registrations and heartbeats; default true
}

// RegisterSpec finds names by a regular expression on bytes (RE2, each byte a character from \x00 to \xff).
type RegisterSpec struct {
	// Pattern has the group (?P<name>…). Its match begins where the message begins. Where a registration may come in pieces, it
	// is to end with what ends the registration: without that, what is there is taken for all of it.
	Pattern string `yaml:"pattern" json:"pattern"`
	// When is once (default: the first message that fits, and only while there is no name), prefix (of every message, from which it is taken
	// away), or both: an own message at first, and a prefix of others.
	When string `yaml:"when" json:"when,omitempty"`
	// Reply is sent to a registration; {name} in it is the name.
	Reply string `yaml:"reply" json:"reply,omitempty"`
	Max   int    `yaml:"max" json:"max,omitempty"` // bytes within which the registration must be there; default 1 KiB, at most 64 KiB
	// Bare says that the registration is not cut as messages are, but stands by itself before them, and ends where the pattern
	// does. It is that anyway where it does not begin as messages do, and with raw.
	Bare bool `yaml:"bare" json:"bare,omitempty"`
}

// HeartbeatSpec is a message that says only that the device is there.
type HeartbeatSpec struct {
	Pattern string `yaml:"pattern" json:"pattern"` // a regular expression on bytes, of the whole message
	Reply   string `yaml:"reply" json:"reply,omitempty"`
}

// Bytes in a Spec are text with the escapes of Go's strings (\r, \x7e) and \0, or hexadecimal as in "hex:78 78".
