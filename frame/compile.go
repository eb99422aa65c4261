package frame

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits of what a Spec may say.
const (
	maxMessage      = 16 << 20
	usualMessage    = 64 << 10
	maxRegistration = 1 << 10 // unless register.max says otherwise
	maxFramers      = 64
	leastMax        = 64 // of presets
	maxGap          = time.Hour
)

// Dialect is a Spec that was checked and made ready: it is shared by all readers, and does not change.
type Dialect struct {
	spec    Spec
	framers []framer
}

// Spec is that of which the dialect was made.
func (d *Dialect) Spec() Spec { return d.spec }

// Framers are the names of the dialect's framers: of the preset, or else the type.
func (d *Dialect) Framers() []string {
	names := make([]string, len(d.framers))
	for i := range d.framers {
		names[i] = d.framers[i].name
	}
	return names
}

// SpecError is something that is wrong in a Spec.
type SpecError struct {
	Key     string // as in framers[0].offset
	Problem string // what is wrong, and what would be right
}

func (e *SpecError) Error() string { return e.Key + ": " + e.Problem }

// compiler collects what is wrong.
type compiler struct {
	key  string // of the framer
	errs []error
}

func (c *compiler) wrong(key, problem string, args ...any) {
	if c.key != "" && key != "" {
		key = c.key + "." + key
	} else if key == "" {
		key = c.key
	}
	c.errs = append(c.errs, &SpecError{Key: key, Problem: fmt.Sprintf(problem, args...)})
}

// Compile checks a Spec. Errors are each a *SpecError, joined: they name the key, as in framers[0].offset, and say what would
// be right.
func Compile(s Spec) (*Dialect, error) {
	var c compiler
	d := &Dialect{spec: s}
	if len(s.Framers) == 0 {
		c.wrong("framers", "none: write a preset, as in etung, or a type, as in line")
	}
	if len(s.Framers) > maxFramers {
		c.wrong("framers", "%d are too many: at most %d", len(s.Framers), maxFramers)
	}
	rules, beats := c.register(s.Register), c.heartbeats(s.Heartbeats)
	for i := range s.Framers {
		c.key = fmt.Sprintf("framers[%d]", i)
		f := c.framer(&s.Framers[i])
		if len(rules) > 0 {
			if f.name == "usr-dtu" {
				f.rules = nil
			}
			f.rules = append(slices.Clip(slices.Clone(rules)), f.rules...)
		}
		if len(beats) > 0 {
			if f.name == "usr-dtu" {
				f.beats = nil
			}
			f.beats = append(slices.Clip(slices.Clone(beats)), f.beats...)
		}
		if i < len(s.Framers)-1 && f.cutter != nil && f.first == nil && f.begins([]byte{0}) == yes && f.begins([]byte{'A'}) == yes {
			c.wrong("", "%s takes any first bytes, so that none behind it is ever chosen: put it last, or say what it begins with as first", f.name)
		}
		d.framers = append(d.framers, f)
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	return d, nil
}

func (c *compiler) register(s *RegisterSpec) []rule {
	if s == nil {
		return nil
	}
	c.key = "register"
	defer func() { c.key = "" }()
	p, err := makePattern(s.Pattern, true, false)
	if err != nil {
		c.wrong("pattern", "%v", err)
		return nil
	}
	r := patternRule(p)
	r.bare = s.Bare
	switch s.When {
	case "", "once":
	case "prefix":
		r.when = prefix
	case "both":
		r.when = both
	default:
		c.wrong("when", "%q is unknown: write once, prefix or both", s.When)
	}
	if s.Reply != "" {
		if r.reply, err = parseBytes(s.Reply); err != nil {
			c.wrong("reply", "%v", err)
		}
		r.replies = true
	}
	if s.Max < 0 || s.Max > usualMessage {
		c.wrong("max", "%d bytes: write 1 to %d, or leave it out for %d", s.Max, usualMessage, maxRegistration)
	} else if s.Max > 0 {
		r.limit = s.Max
	}
	return []rule{r}
}

func (c *compiler) heartbeats(specs []HeartbeatSpec) (beats []beat) {
	defer func() { c.key = "" }()
	for i := range specs {
		c.key = fmt.Sprintf("heartbeats[%d]", i)
		p, err := makePattern(specs[i].Pattern, false, true)
		if err != nil {
			c.wrong("pattern", "%v", err)
			continue
		}
		b := beat{pattern: p}
		if specs[i].Reply != "" {
			if b.reply, err = parseBytes(specs[i].Reply); err != nil {
				c.wrong("reply", "%v", err)
			}
		}
		beats = append(beats, b)
	}
	return beats
}

func (c *compiler) framer(s *FramerSpec) framer {
	limit := usualMessage
	if s.Max < 0 || s.Max > maxMessage {
		c.wrong("max", "%d bytes: write 1 to %d, or leave it out for %d", s.Max, maxMessage, usualMessage)
	} else if s.Max > 0 {
		limit = s.Max
	}
	c.unused(s)
	var f framer
	switch {
	case s.Preset != "" && s.Type != "":
		c.wrong("type", "beside preset: write one of them")
	case s.Preset != "":
		p := findPreset(s.Preset)
		if p == nil {
			c.wrong("preset", "%q is unknown: write one of %s", s.Preset, strings.Join(Presets(), ", "))
			return f
		}
		if p.max > 0 && s.Max <= 0 {
			limit = p.max
		}
		f = p.make(limit)
		f.name = p.name
		if s.Preset == "h02" && s.Size != 0 {
			if s.Size != h02Short && s.Size != h02Long {
				c.wrong("size", "%d bytes: messages that begin with $ have %d or %d", s.Size, h02Short, h02Long)
			}
			f.cutter = spacedCutter{h02Cutter{s.Size, limit}, lineEnds}
		}
		if s.Max != 0 && limit < leastMax {
			c.wrong("max", "%d bytes are too few for messages of %s: write %d or more", limit, s.Preset, leastMax)
		}
	case s.Type == "":
		c.wrong("type", "missing: write one of %s, or preset", strings.Join(types, ", "))
		return f
	default:
		f = c.typed(s, limit)
		f.name = s.Type
	}
	if s.Gap != "" {
		f.gap = c.gap(s.Gap)
	}
	if s.First != "" {
		f.first = c.bytes("first", s.First)
	}
	if s.Check != "" && s.Check != "none" {
		f.check = c.check(s)
		if l, found := f.cutter.(*lengthCutter); found && len(l.sync) > 0 {
			l.check, f.check = f.check, nil
		}
	}
	switch s.OnBad {
	case "", "flag":
	case "end":
		f.ends = true
	default:
		c.wrong("on_bad", "%q is unknown: write flag or end", s.OnBad)
	}
	if s.Reply != nil {
		f.silent = !*s.Reply
	}
	if s.Strip < 0 {
		c.wrong("strip", "%d: write 0 or more", s.Strip)
	}
	f.strip = s.Strip
	return f
}

// unused tells of settings that do nothing for the framer: somebody believes that they do.
func (c *compiler) unused(s *FramerSpec) {
	needs := func(key string, set bool, kinds ...string) {
		if kind := s.Type + s.Preset; set && s.Type+s.Preset != "" && !slices.Contains(kinds, kind) {
			c.wrong(key, "does nothing for %s: it is for %s", kind, strings.Join(kinds, ", "))
		}
	}
	needs("delimiters", len(s.Delimiters) > 0, "delimiters")
	needs("keep", s.Keep, "line", "delimiters", "between")
	needs("start", s.Start != "", "between")
	needs("end", s.End != "", "between")
	needs("escape", len(s.Escape) > 0, "between")
	needs("size", s.Size != 0, "fixed", "h02")
	needs("offset", s.Offset != 0, "length")
	needs("width", s.Width != 0, "length")
	needs("adjust", s.Adjust != 0, "length")
	needs("strip", s.Strip != 0, "length", "fixed")
	needs("endian", s.Endian != "", "length")
	needs("sync", s.Sync != "", "length")
	needs("gap", s.Gap != "", "gap", "modbus-rtu")
	if s.Preset != "" && s.Check != "" {
		c.wrong("check", "does nothing for %s: it has its own", s.Preset)
	}
	if s.Check == "" || s.Check == "none" {
		if s.CheckFrom != 0 || s.CheckTo != 0 || s.CheckEndian != "" {
			c.wrong("check", "missing, though check_from, check_to or check_endian is set: write which one it is")
		}
	}
	if s.Reply != nil && s.Preset == "" {
		c.wrong("reply", "does nothing for %s: it is of presets", s.Type)
	}
}
