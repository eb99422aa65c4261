package telnet_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/telnet"
)

// decode feeds a decoder in pieces of some size; commands show as {verb option data} at their place.
func decode(d telnet.Decoder, p string, size int) string {
	var out []byte
	for len(p) > 0 {
		n := min(size, len(p))
		out = d.Append(out, []byte(p[:n]), func(out []byte, c telnet.Command) []byte {
			return fmt.Appendf(out, "{%d %d %x}", c.Verb, c.Option, c.Data)
		})
		p = p[n:]
	}
	return string(out)
}

var decodings = []struct{ name, in, typed, shown, unsure string }{
	{"text", "ls -l\n", "ls -l\n", "ls -l\n", "ls -l\n"},
	{"a doubled IAC is one byte", "a\xff\xffb", "a\xffb", "a\xffb", "a\xff\xffb"},
	{"CR NUL is CR", "ls\r\x00x", "ls\rx", "ls\rx", "ls\r\x00x"},
	{"CR LF is one key, and two on a screen", "ls\r\nx", "ls\rx", "ls\r\nx", "ls\r\nx"},
	{"CR before anything else", "a\rb\r\r\n", "a\rb\r\r", "a\rb\r\r\n", "a\rb\r\r\n"},
	{"options", "a\xff\xfb\x1fb\xff\xfe\x01", "a{251 31 }b{254 1 }", "a{251 31 }b{254 1 }", "a{251 31 }b{254 1 }"},
	{"commands", "\xff\xf4x\xff\xf1", "{244 0 }x{241 0 }", "{244 0 }x{241 0 }", "\xff\xf4x\xff\xf1"},
	{"a subnegotiation", "\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0x", "{250 31 00500018}x", "{250 31 00500018}x",
		"\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0x"},
	{"an IAC in one", "\xff\xfa\x1f\x00\xff\xff\x00\x18\xff\xf0", "{250 31 00ff0018}", "{250 31 00ff0018}",
		"\xff\xfa\x1f\x00\xff\xff\x00\x18\xff\xf0"},
	{"one without its end", "\xff\xfa\x18\x00vt\xff\xfb\x03x", "{250 24 007674}{251 3 }x", "{250 24 007674}{251 3 }x",
		"\xff\xfa\x18\x00vt{251 3 }x"},
	{"an empty one", "\xff\xfa\xff\xf0x", "x", "x", "\xff\xfa\xff\xf0x"},
	{"no command", "a\xff\x05b", "ab", "ab", "a\xff\x05b"},
	{"IAC and CR in a row", "\r\xff\xf1\r\x00", "\r{241 0 }\r", "\r{241 0 }\r", "\r\xff\xf1\r\x00"},
}

func TestCommandsAreTakenOutWhereverTheStreamIsCut(t *testing.T) {
	for _, c := range decodings {
		for _, size := range []int{1, 2, 3, 1000} {
			for want, d := range map[*string]telnet.Decoder{&c.typed: {Typed: true}, &c.shown: {}, &c.unsure: {Unsure: true}} {
				if got := decode(d, c.in, size); got != *want {
					t.Errorf("%s, %+v, in pieces of %d: got %q, want %q from %q", c.name, d, size, got, *want, c.in)
				}
			}
		}
	}
}

func TestInBinaryCarriageReturnsMeanNothing(t *testing.T) {
	if got, want := decode(telnet.Decoder{Typed: true, Binary: true}, "a\r\x00\r\n\xff\xff", 1), "a\r\x00\r\n\xff"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e := telnet.Encoder{Binary: true}
	if got, want := string(e.Append(nil, []byte("a\rb\xff"))), "a\rb\xff\xff"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOnceTheFarEndNegotiatesItIsTelnet(t *testing.T) {
	got := decode(telnet.Decoder{Typed: true, Unsure: true}, "a\r\x00\xff\xff\xff\xfb\x03b\r\x00\xff\xff", 1)
	if want := "a\r\x00\xff\xff{251 3 }b\r\xff"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestASubnegotiationIsKeptUpToALimit(t *testing.T) {
	long := "\xff\xfa\x18" + strings.Repeat("x", 1<<20) + "\xff\xf0after"
	if got, want := decode(telnet.Decoder{}, long, 4096), fmt.Sprintf("{250 24 %x}after", strings.Repeat("x", 512)); got != want {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}

func TestWhatIsEncodedIsDecodedAgain(t *testing.T) {
	for _, text := range []string{"plain\r\n", "a\rb", "\xff", "\xff\xff\r\xff\r\r\n\n", "中文\r"} {
		for size := 1; size <= len(text); size++ {
			var e telnet.Encoder
			var wire []byte
			for i := 0; i < len(text); i += size {
				wire = e.Append(wire, []byte(text[i:min(i+size, len(text))]))
			}
			if got := decode(telnet.Decoder{}, string(wire), 1); got != text {
				t.Errorf("in pieces of %d: got %q, want %q by way of %q", size, got, text, wire)
			}
		}
	}
	if got, want := telnet.AppendSub(nil, telnet.WindowSize, 0, 255, 0, 24), "\xff\xfa\x1f\x00\xff\xff\x00\x18\xff\xf0"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzDecoder(f *testing.F) {
	for _, c := range decodings {
		f.Add([]byte(c.in), uint8(3), true, false)
	}
	f.Fuzz(func(t *testing.T, p []byte, size uint8, typed, unsure bool) {
		d := telnet.Decoder{Typed: typed, Unsure: unsure}
		whole := decode(d, string(p), max(1, len(p)))
		if pieces := decode(d, string(p), int(size%7)+1); pieces != whole {
			t.Errorf("in pieces: got %q, want %q", pieces, whole)
		}
		var e telnet.Encoder
		var back telnet.Decoder
		if got := back.Append(nil, e.Append(nil, p), nil); !bytes.Equal(got, p) {
			t.Errorf("encoded and decoded: got %q, want %q", got, p)
		}
	})
}
