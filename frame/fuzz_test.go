package frame_test

import (
	"fmt"
	"testing"

	"github.com/switchboard-relay/switchboard/frame"
)

// fuzzed are specs whose messages do not depend on how their bytes come. Patterns end with what ends them.
func fuzzed(t testing.TB) []*frame.Dialect {
	one := func(f frame.FramerSpec) frame.Spec { return frame.Spec{Framers: frame.FramerSpecs{f}} }
	with := func(name, pattern, when string) frame.Spec {
		return frame.Spec{Framers: frame.FramerSpecs{frame.Named(name)},
			Register:   &frame.RegisterSpec{Pattern: pattern, When: when, Reply: "hello {name}"},
			Heartbeats: []frame.HeartbeatSpec{{Pattern: "PING", Reply: "PONG"}}}
	}
	specs := []frame.Spec{
		one(frame.FramerSpec{Type: "line", Max: 40}),
		one(frame.FramerSpec{Type: "line", Keep: true, Check: "xor"}),
		one(frame.FramerSpec{Type: "delimiters", Delimiters: []string{`##\r\n`, "##", `;\0`, ";"}, Max: 50}),
		one(frame.FramerSpec{Type: "delimiters", Delimiters: []string{"##", "#", "hex:7e7e7e"}, Keep: true}),
		one(frame.FramerSpec{Type: "between", Start: "(", End: ")", Max: 30}),
		one(frame.FramerSpec{Type: "between", Start: "hex:7e", End: "hex:7e", Keep: true, Escape: map[string]string{"hex:7d02": "hex:7e", "hex:7d01": "hex:7d"}}),
		one(frame.FramerSpec{Type: "between", Start: "<<", End: ">>", Escape: map[string]string{`\\>`: ">", `\\\\`: `\\`}}),
		one(frame.FramerSpec{Type: "fixed", Size: 7, Strip: 2}),
		one(frame.FramerSpec{Type: "length", Width: 1, Max: 90}),
		one(frame.FramerSpec{Type: "length", Offset: 1, Width: 2, Adjust: -3, Max: 60}),
		one(frame.FramerSpec{Type: "length", Offset: 2, Width: 1, Adjust: 1, Sync: "hex:7878", Check: "xor", Endian: "little"}),
		one(frame.FramerSpec{Type: "length", Offset: 1, Width: 8, Sync: "x", Strip: 3}),
		with("line", `LOGIN:(?P<name>\w+);`, "once"),
		with("line", `(?P<name>\d\d)`, "prefix"),
		with("gt06", `LOGIN:(?P<name>\w+);`, "once"),
		with("modbus-tcp", `#(?P<name>\d+),`, "prefix"),
		with("tpkt", `#(?P<name>[^,]+),`, "both"),
	}
	for _, name := range frame.Presets() {
		if name != "etung" && name != "usr-dtu" { // a message of theirs is what came at once
			specs = append(specs, one(frame.FramerSpec{Preset: name}))
		}
	}
	list := frame.Spec{}
	for _, name := range []string{"gt06", "jt808", "h02", "tk103", "teltonika", "tpkt", "modbus-tcp", "gps103", "line"} {
		list.Framers = append(list.Framers, frame.Named(name))
	}
	specs = append(specs, list)
	var all []*frame.Dialect
	for _, s := range specs {
		all = append(all, compile(t, s))
	}
	return all
}

func FuzzReader(f *testing.F) {
	dialects := fuzzed(f)
	for i, v := range vectors {
		var stream []byte
		for _, e := range v.messages {
			stream = append(stream, unhex(f, e.wire)...)
		}
		for which := range dialects {
			f.Add(uint8(which), uint64(i), stream)
		}
	}
	for which := range dialects {
		f.Add(uint8(which), uint64(3), []byte("LOGIN:1001;\x78\x78\x0a\x13\x44\x06\x04\x00\x02\x01\xba\xaf\x54\x0d\x0a#12,\x00\x01\x00\x00\x00\x02\x01\x03##\r\n##;\x00;(a)(<<a\\>b>>~~a}\x02~PING\n12PING\r\n"))
	}
	f.Fuzz(func(t *testing.T, which uint8, cuts uint64, stream []byte) {
		if len(stream) > 1<<12 {
			return
		}
		d := dialects[int(which)%len(dialects)]
		want := feed(t, d.Reader(false), stream)
		var pieces [][]byte
		for rest, state := stream, cuts; len(rest) > 0; {
			state = state*6364136223846793005 + 1442695040888963407
			n := 1 + int(state>>33)%(1+int(cuts%61))
			n = min(n, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		same(t, fmt.Sprintf("%d pieces", len(pieces)), feed(t, d.Reader(false), pieces...), want)
		resumed(t, d, stream, want)
		feed(t, d.Reader(true), pieces...)
	})
}

func FuzzPiecesThatAreMessages(f *testing.F) {
	pattern := &frame.RegisterSpec{Pattern: `(?P<name>\w+)\s`, When: "both"}
	dialects := []*frame.Dialect{dialect(f, "etung"), dialect(f, "usr-dtu"), dialect(f, "raw"),
		compile(f, frame.Spec{Framers: frame.FramerSpecs{frame.Named("raw")}, Register: pattern}),
		compile(f, frame.Spec{Framers: frame.FramerSpecs{{Type: "gap", Gap: "1s", Max: 20}}, Register: pattern})}
	f.Add(uint8(0), []byte("ETUNG:860000000000017\n"), []byte("x"), []byte("ETUNG:1#"))
	f.Add(uint8(1), []byte("LOGIN:1001"), []byte{0}, []byte("www.usr.cn"))
	f.Add(uint8(3), []byte("name data"), []byte("name"), []byte(" data"))
	f.Fuzz(func(t *testing.T, which uint8, a, b, c []byte) {
		d := dialects[int(which)%len(dialects)]
		feed(t, d.Reader(false), a, b, c)
		feed(t, d.Reader(true), a, b, c)
	})
}

func FuzzCompile(f *testing.F) {
	f.Add("length", "", "7", `LOGIN:(?P<name>\w+)`, "hex:7e", 2, 2, -3)
	f.Add("between", "", "(", `(?P<name>(a|b)*\b$)`, "\\x7e", 0, 4, 0)
	f.Fuzz(func(t *testing.T, kind, preset, text, pattern, other string, offset, width, adjust int) {
		d, err := frame.Compile(frame.Spec{Register: &frame.RegisterSpec{Pattern: pattern},
			Framers: frame.FramerSpecs{{Type: kind, Preset: preset, Start: text, End: other, Sync: text, Delimiters: []string{other},
				Offset: offset, Width: width, Adjust: adjust, Size: offset, Max: width}}})
		if err != nil {
			return
		}
		feed(t, d.Reader(false), []byte(text+pattern+other), []byte(pattern+other+text))
	})
}
