package frame

import "slices"

// preset makes the framer of a protocol.
type preset struct {
	name string
	max  int // bytes of a message, unless the spec says otherwise; 0: as of framers
	make func(limit int) framer
}

// presets are the protocols that are known, in the order in which lists show them. Their messages are short: a length that lies
// then holds up little.
var presets = []preset{
	{"etung", 0, func(int) framer {
		return framer{cutter: rawCutter{}, pieces: true, first: etungStart,
			rules: []rule{{find: findETUNG, first: oneByte('E'), limit: maxRegistration}}}
	}},
	{"gt06", 8 << 10, func(limit int) framer { return framer{cutter: gt06Cutter{limit}} }},
	{"jt808", 8 << 10, func(limit int) framer { return framer{cutter: jt808Cutter{limit}} }},
	{"h02", 4 << 10, func(limit int) framer { return framer{cutter: spacedCutter{h02Cutter{h02Short, limit}, lineEnds}} }},
	{"tk103", 4 << 10, func(limit int) framer { return framer{cutter: spacedCutter{makeTK103(limit), lineEnds}} }},
	{"gps103", 4 << 10, func(limit int) framer { return framer{cutter: spacedCutter{gps103Cutter{limit}, ";" + lineEnds}} }},
	{"teltonika", 8 << 10, func(limit int) framer { return framer{cutter: teltonikaCutter{limit}} }},
	{"modbus-tcp", 0, func(int) framer { return framer{cutter: modbusTCPCutter{}} }},
	{"modbus-rtu", 0, func(int) framer { return framer{cutter: modbusRTUCutter{}, gap: modbusGap} }},
	{"tpkt", 8 << 10, func(limit int) framer { return framer{cutter: tpktCutter{limit}} }},
	{"usr-dtu", 0, makeDTU},
}

// Presets are the names of all presets.
func Presets() []string {
	names := make([]string, len(presets))
	for i := range presets {
		names[i] = presets[i].name
	}
	return names
}

func findPreset(name string) *preset {
	i := slices.IndexFunc(presets, func(p preset) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	return &presets[i]
}

func makeDTU(int) framer {
	f := framer{cutter: rawCutter{}, pieces: true}
	for _, text := range []string{dtuLogin, dtuIMEI} {
		f.rules = append(f.rules, patternRule(mustPattern(text, true, false)))
	}
	for _, text := range dtuBeats {
		f.beats = append(f.beats, beat{pattern: mustPattern(text, false, true)})
	}
	return f
}

// patternRule finds registrations by a pattern.
func patternRule(p *pattern) rule {
	return rule{find: func(b []byte, w *work) match { return p.match(b, &w.machine) }, first: &p.first, limit: maxRegistration}
}

func mustPattern(text string, named, whole bool) *pattern {
	p, err := makePattern(text, named, whole)
	if err != nil {
		panic(err)
	}
	return p
}

func oneByte(c byte) *[256]bool {
	t := new([256]bool)
	t[c] = true
	return t
}

// Sequence is what links a command to its answer, from the command's bytes: the Ack of the message that answers it is the same. nil:
// its protocol has nothing of the kind.
func (d *Dialect) Sequence(command []byte) []byte {
	for i := range d.framers {
		var sequence []byte
		switch d.framers[i].cutter.(type) {
		case gt06Cutter:
			sequence = gt06Sequence(command)
		case jt808Cutter:
			sequence = jt808Sequence(command)
		case modbusTCPCutter:
			sequence = modbusSequence(command)
		}
		if sequence != nil {
			return sequence
		}
	}
	return nil
}
