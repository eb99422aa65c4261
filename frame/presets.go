package frame

import "slices"

// preset makes the framer of a protocol. Its settings are those of its protocol, and what the spec may say of them.
type preset struct {
	name string
	make func(s *FramerSpec, limit int) framer
}

// presets are the protocols that are known, in the order in which lists show them.
var presets = []preset{
	{"etung", makeETUNG},
	{"usr-dtu", makeDTU},
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

func makeETUNG(*FramerSpec, int) framer {
	return framer{cutter: rawCutter{}, pieces: true, first: etungStart,
		rules: []rule{{find: findETUNG, first: oneByte('E'), limit: maxRegistration}}}
}

func makeDTU(*FramerSpec, int) framer {
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
