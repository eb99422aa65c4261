package frame_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/frame"
)

// short is messages in one line: their data, and after a slash what is special about them.
func short(all []got) string {
	var parts []string
	for _, g := range all {
		s := fmt.Sprintf("%q", g.data)
		if g.kind != frame.Data || g.flags != 0 || g.name != "" || g.reply != "" {
			s += "/" + [...]string{"data", "reg", "beat", "junk"}[g.kind]
			for i, flag := range []string{"check", "length", "long", "cut"} {
				if g.flags>>i&1 != 0 {
					s += "," + flag
				}
			}
			if g.name != "" {
				s += "," + g.name
			}
			if g.reply != "" {
				s += "→" + g.reply
			}
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " ")
}

func TestFramersCutHoweverTheBytesCome(t *testing.T) {
	crc := string(crcModbus([]byte("\x02\x05hello")))
	for _, c := range []struct {
		spec   frame.FramerSpec
		stream string
		want   string
	}{
		{frame.FramerSpec{Type: "line"}, "one\r\ntwo\n\nthree\rx\r\nrest", `"one" "two" "" "three\rx" "rest"/data,cut`},
		{frame.FramerSpec{Type: "line", Keep: true}, "one\r\ntwo\n", `"one\r\n" "two\n"`},
		{frame.FramerSpec{Type: "line", Max: 4}, "123456\n789\n", `"1234"/data,long "56" "789"`},
		{frame.FramerSpec{Type: "line", Check: "xor"}, "ab\x03\nab\x04\nx\n", `"ab\x03" "ab\x04"/data,check "x"/data,check`},
		{frame.FramerSpec{Type: "delimiters", Delimiters: []string{`##\r\n`, "##", `;\0`, ";"}}, "a##\r\nb##c;\x00d;e####", `"a" "b" "c" "d" "e" ""`},
		{frame.FramerSpec{Type: "delimiters", Delimiters: []string{`##`, `##\r\n`}}, "a##\r\nb##", `"a" "\r\nb"`},
		{frame.FramerSpec{Type: "delimiters", Delimiters: []string{"hex:0d0a", "|"}, Keep: true, Max: 5}, "a|b\r\nlonger|", `"a|" "b\r\n" "longe"/data,long "r|"`},
		{frame.FramerSpec{Type: "between", Start: "<", End: ">"}, "x<a>\r\n<b><>\nz<c>\r\n", `"x"/junk "a" "b" "" "\nz"/junk "c" "\r\n"/junk`},
		{frame.FramerSpec{Type: "between", Start: "<", End: ">", Keep: true, Max: 5}, "<a><toolong>", `"<a>" "<tool"/data,long "ong>"/junk`},
		{frame.FramerSpec{Type: "between", Start: "hex:7e", End: "hex:7e", Escape: map[string]string{"hex:7d02": "hex:7e", "hex:7d01": "hex:7d"}},
			"$$~a}\x02b}\x01c~~d~e~~~~f~", `"$$"/junk "a~b}c" "d" "e" "~"/junk "~"/junk "f"`},
		{frame.FramerSpec{Type: "between", Start: "hex:7e", End: "hex:7e", Keep: true, Escape: map[string]string{"hex:7d02": "hex:7e"}}, "~a}\x02b~", `"~a~b~"`},
		{frame.FramerSpec{Type: "between", Start: "[", End: "]", Escape: map[string]string{`\\]`: "]", `\\\\`: `\\`}}, `[a\]b\\]x[c]`, `"a]b\\" "x"/junk "c"`},
		{frame.FramerSpec{Type: "between", Start: "<<", End: ">>", Check: "sum8"}, "<<ab\xc3>><<ab\xc4>>", `"ab\xc3" "ab\xc4"/data,check`},
		{frame.FramerSpec{Type: "fixed", Size: 4, Strip: 1}, "1abc2defx", `"abc" "def" "x"/data,cut`},
		{frame.FramerSpec{Type: "fixed", Size: 4, Check: "xor", CheckFrom: 1, CheckTo: 3}, "1ab\x032ab\x04", `"1ab\x03" "2ab\x04"/data,check`},
		{frame.FramerSpec{Type: "length", Width: 1}, "\x02ab\x00\x01c\x05d", `"\x02ab" "\x00" "\x01c" "\x05d"/data,cut`},
		{frame.FramerSpec{Type: "length", Width: 2, Endian: "little", Strip: 2}, "\x02\x00ab", `"ab"`},
		{frame.FramerSpec{Type: "length", Width: 3, Max: 10}, "\x00\x00\x01a\x01\x00\x00bcdefghi\x00\x00\x01z", `"\x00\x00\x01a" "\x01\x00\x00bcdefgh"/data,length,long "i\x00\x00\x01z"/data,cut`},
		{frame.FramerSpec{Type: "length", Width: 8}, "\x00\x00\x00\x00\x00\x00\x00\x01a\xff\xff\xff\xff\xff\xff\xff\xff", `"\x00\x00\x00\x00\x00\x00\x00\x01a" "\xff\xff\xff\xff\xff\xff\xff\xff"/data,cut`},
		{frame.FramerSpec{Type: "length", Width: 4, Endian: "little", Adjust: -4}, "\x06\x00\x00\x00ab\x03\x00\x00\x00\x05\x00\x00\x00c", `"\x06\x00\x00\x00ab" "\x03\x00\x00\x00"/data,length "\x05\x00\x00\x00c"`},
		// With sync, what does not begin as messages do is junk, and a length that lies ends where the next begins.
		{frame.FramerSpec{Type: "length", Offset: 2, Width: 1, Sync: "AA", Adjust: -3}, "xxAA\x05abyAA\x01AA\x04c", `"xx"/junk "AA\x05ab" "y"/junk "AA\x01"/data,length "AA\x04c"`},
		{frame.FramerSpec{Type: "length", Offset: 1, Width: 1, Sync: `\x02`, Adjust: 2, Check: "crc16-modbus", CheckEndian: "little"},
			crc + "\x02\x05hellooo" + crc + "\x02\x09hell" + crc,
			fmt.Sprintf(`%q "\x02\x05hellooo"/data,check %q %q/data,check,length %q`, crc, crc, "\x02\x09hell", crc)},
	} {
		stream := []byte(c.stream)
		d := compile(t, frame.Spec{Framers: frame.FramerSpecs{c.spec}})
		if got := short(however(t, d, stream)); got != c.want {
			t.Errorf("%+v of %q:\ngot  %s\nwant %s", c.spec, c.stream, got, c.want)
		}
	}
}

func TestALengthIsThatOfTheCatalogueOfTrackers(t *testing.T) {
	// offset, width, adjust and strip, and a message by them: they are those of published decoders.
	for _, c := range []struct {
		name                         string
		offset, width, adjust, strip int
		endian, stream, want         string
	}{
		{"Astra", 1, 2, -3, 0, "", "K\x00\x07abcdK\x00\x05ef", `"K\x00\aabcd" "K\x00\x05ef"`},
		{"Enfora", 0, 2, -2, 2, "", "\x00\x05abc\x00\x03d", `"abc" "d"`},
		{"Radar", 12, 2, -14, 0, "", "123456789012\x00\x10ab", `"123456789012\x00\x10ab"`},
		{"Ruptela", 0, 2, 2, 0, "", "\x00\x01acc\x00\x02abcc", `"\x00\x01acc" "\x00\x02abcc"`},
		{"Mavlink2", 1, 1, 10, 0, "", "\xfd\x021234567890ab", `"\xfd\x021234567890ab"`},
		{"Tk102", 12, 1, 1, 0, "", "[1234567890a\x02bc]", `"[1234567890a\x02bc]"`},
		{"little endian", 2, 2, -4, 0, "little", "!!\x06\x00ab", `"!!\x06\x00ab"`},
	} {
		d := compile(t, frame.Spec{Framers: frame.FramerSpecs{{Type: "length", Offset: c.offset, Width: c.width, Adjust: c.adjust, Strip: c.strip, Endian: c.endian}}})
		if got := short(however(t, d, []byte(c.stream))); got != c.want {
			t.Errorf("%s of %q:\ngot  %s\nwant %s", c.name, c.stream, got, c.want)
		}
	}
}

func TestSilenceEndsAMessageWhetherOrNotSomebodyWaitsForIt(t *testing.T) {
	d := compile(t, frame.Spec{Framers: frame.FramerSpecs{{Type: "gap", Gap: "50ms", Max: 8}}})
	var all []got
	each := func(m *frame.Message) error { all = append(all, keep(m)); return nil }
	r := d.Reader(false)
	for _, p := range []struct {
		bytes string
		at    int64
	}{{"ab", 0}, {"c", 49_999}, {"d", 99_999}, {"e", 120_000}, {"0123456", 130_000}, {"x", 200_000}} {
		if err := r.Feed([]byte(p.bytes), noon+p.at, each); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := short(all), `"abc" "de012345"/data,long "6"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if due := r.Due(); due != noon+250_000 {
		t.Errorf("due at %d; want %d", due-noon, 250_000)
	}
	if err := r.Expire(noon+249_999, each); err != nil || r.Buffered() != 1 {
		t.Errorf("before its time: error %v, %d bytes held", err, r.Buffered())
	}
	if err := r.Expire(noon+250_000, each); err != nil || r.Buffered() != 0 || r.Due() != 0 {
		t.Errorf("after its time: error %v, %d bytes held, due at %d", err, r.Buffered(), r.Due())
	}
	if got := all[len(all)-1].data; got != "x" {
		t.Errorf("got %q, want %q", got, "x")
	}
}

func TestSilenceEndsWhatIsNoMessageOfModbus(t *testing.T) {
	d := dialect(t, "modbus-rtu")
	var all []got
	each := func(m *frame.Message) error { all = append(all, keep(m)); return nil }
	r := d.Reader(false)
	good := string(crcModbus([]byte{1, 3, 2, 0, 7}))
	other := string(crcModbus([]byte{1, 0x41, 9})) // a function of a maker's own
	for i, p := range []string{good[:4], good[4:] + good, "\x01\x03\x04\x00", good, other} {
		if err := r.Feed([]byte(p), noon+int64(i)*1_000_000*int64(i/2), each); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Expire(r.Due(), each); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`%q %q "\x01\x03\x04\x00"/data,check %q %q`, good, good, good, other)
	if got := short(all); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestEachDatagramIsWhole(t *testing.T) {
	for _, c := range []struct {
		name   string
		pieces []string
		want   string
	}{
		{"line", []string{"a\nb", "c\n"}, `"a" "b"/data,cut "c"`},
		{"etung", []string{"ETUNG:12", "ETUNG:34", "x"}, `"ETUNG:12"/reg,1 "ETUNG:34" "x"`},
		{"etung", []string{"ETUNG:", "E", "ETUNG:12\nrest"}, `"ETUNG:" "E" "ETUNG:12\n"/reg,12 "rest"`},
		{"tk103", []string{"(1BP00)\r\n", "\r\n(2BP00)\r\n"}, `"(1BP00)"/beat,1→(1AP01HSO) "(2BP00)"/beat,2→(2AP01HSO)`},
		{"gt06", []string{"\x78\x78", "\x78\x78\x05\x01"}, `"xx"/data,cut "xx\x05\x01"/data,cut`},
		{"teltonika", []string{"\x00\x17\xca\xfe\x01\x05\x00\x0f123456789012345\x08\x03"}, `"\x00\x17\xca\xfe\x01\x05\x00\x0f123456789012345\b\x03"/data,123456789012345→` + "\x00\x05\xca\xfe\x01\x05\x03"},
	} {
		d := dialect(t, c.name)
		var pieces [][]byte
		for _, p := range c.pieces {
			pieces = append(pieces, []byte(p))
		}
		if got := short(feed(t, d.Reader(true), pieces...)); got != c.want {
			t.Errorf("%s: %q:\ngot  %s\nwant %s", c.name, c.pieces, got, c.want)
		}
	}
}

func TestAFramerWaitsWhileItsFirstBytesMayCome(t *testing.T) {
	d := compile(t, frame.Spec{Framers: frame.FramerSpecs{{Type: "line", First: "LINE "}, {Type: "fixed", Size: 2, First: "LI"}, {Preset: "gt06"}, frame.Named("raw")}})
	for _, c := range []struct {
		pieces []string
		framer string
		want   string
	}{
		{[]string{"L", "I", "NE", " x\n"}, "line", `"LINE x"`},
		{[]string{"L", "IN", "K"}, "fixed", `"LI" "NK"`},
		{[]string{"L", "x", "y"}, "raw", `"Lx" "y"`},
		{[]string{"\x78", "\x79", "y"}, "raw", `"xy" "y"`},
		{[]string{"LIN"}, "fixed", `"LI" "N"/data,cut`},
		{[]string{"\n"}, "raw", `"\n"`},
	} {
		var pieces [][]byte
		for _, p := range c.pieces {
			pieces = append(pieces, []byte(p))
		}
		r := d.Reader(false)
		if r.Framer() != "" {
			t.Errorf("before the first bytes the framer is %q", r.Framer())
		}
		if got := short(feed(t, r, pieces...)); got != c.want {
			t.Errorf("%q: got %s, want %s", c.pieces, got, c.want)
		}
		all := strings.Join(c.pieces, "") + "..." // by which no framer is waited for
		if err := r.Feed([]byte(all), noon, func(*frame.Message) error { return nil }); err != nil || r.Framer() != c.framer {
			t.Errorf("%q: got framer %q and error %v, want %q", all, r.Framer(), err, c.framer)
		}
	}
	if got, want := strings.Join(d.Framers(), " "), "line fixed gt06 raw"; got != want {
		t.Errorf("got framers %s, want %s", got, want)
	}
}

func TestAnErrorOfEachComesBackAtOnce(t *testing.T) {
	d := dialect(t, "line")
	r := d.Reader(false)
	calls := 0
	stop := func(*frame.Message) error { calls++; return fmt.Errorf("stop") }
	if err := r.Feed([]byte("half"), noon, stop); err != nil || calls != 0 {
		t.Fatalf("half a line: got %v after %d calls", err, calls)
	}
	if err := r.Feed([]byte(" one\ntwo\n"), noon, stop); err == nil || calls != 1 {
		t.Errorf("got %v after %d calls; want an error after one", err, calls)
	}
	if p := r.Position(); p.Offset != 9 {
		t.Errorf("position %+v; want one behind the first line, 9", p)
	}
}

func TestTheSessionEndsForWhatIsWrongOnlyIfItIsToldTo(t *testing.T) {
	for _, onBad := range []string{"", "flag", "end"} {
		d := compile(t, frame.Spec{Framers: frame.FramerSpecs{{Type: "line", Check: "xor", OnBad: onBad}}})
		r := d.Reader(false)
		var ends []bool
		if err := r.Feed([]byte("ab\x03\nab\x04\n"), noon, func(m *frame.Message) error { ends = append(ends, r.Ends(m)); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(ends) != 2 || ends[0] || ends[1] != (onBad == "end") {
			t.Errorf("on_bad %q: a good and a bad message end the session: got %v", onBad, ends)
		}
	}
}
