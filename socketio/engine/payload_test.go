package engine

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// said is a packet that is kept.
type said struct {
	kind   byte
	binary bool
	data   string
}

func parseAll(body string, older, octets bool) (list []said, err error) {
	err = parsePayload([]byte(body), older, octets, func(k packet) error {
		list = append(list, said{k.kind, k.binary, string(k.data)})
		return nil
	})
	return list, err
}

func TestPayloadsAreReadAsTheProtocolHasThem(t *testing.T) {
	for _, c := range []struct {
		name          string
		older, octets bool
		body          string
		want          []said
	}{
		{"one text", false, false, "4hello", []said{{'4', false, "hello"}}},
		{"an empty message", false, false, "4", []said{{'4', false, ""}}},
		{"several", false, false, "4a\x1e3\x1e4b", []said{{'4', false, "a"}, {'3', false, ""}, {'4', false, "b"}}},
		{"text and base64", false, false, "4é\x1ebAQIDBA==", []said{{'4', false, "é"}, {'4', true, "\x01\x02\x03\x04"}}},
		{"base64 without padding", false, false, "bAQIDBA", []said{{'4', true, "\x01\x02\x03\x04"}}},
		{"lengths", true, false, "6:4hello1:2", []said{{'4', false, "hello"}, {'2', false, ""}}},
		{"an emoji is two units", true, false, "3:4😀2:4é", []said{{'4', false, "😀"}, {'4', false, "é"}}},
		{"base64 with a type", true, false, "6:4hello10:b4AQIDBA==",
			[]said{{'4', false, "hello"}, {'4', true, "\x01\x02\x03\x04"}}},
		{"octets", true, true, "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04",
			[]said{{'4', false, "hello"}, {'4', true, "\x01\x02\x03\x04"}}},
		{"octets with a long length", true, true, "\x01\x01\x03\xff\x04" + strings.Repeat("x", 12),
			[]said{{'4', true, strings.Repeat("x", 12)}}},
	} {
		got, err := parseAll(c.body, c.older, c.octets)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q: got %v, %v, want %v", c.name, c.body, got, err, c.want)
		}
	}
}

func TestPayloadsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, c := range []struct {
		older, octets bool
		body          string
	}{
		{false, false, ""},
		{false, false, "abc"},
		{false, false, "7"},
		{false, false, "4a\x1e"},
		{false, false, "4a\x1e\x1e4b"},
		{false, false, "b*"},
		{false, false, "4\xff"},
		{false, true, "4a"},
		{true, false, ""},
		{true, false, "abc"},
		{true, false, ":4"},
		{true, false, "-1:4"},
		{true, false, "0:"},
		{true, false, "3:4a"},
		{true, false, "2:4😀"}, // half of it
		{true, false, "99999999999999999999:4"},
		{true, false, "1:4\xff"},
		{true, false, "2:b4"[:3]},
		{true, true, ""},
		{true, true, "\x02\x01\xff4"},
		{true, true, "\x00\xff4"},
		{true, true, "\x00\x0a\xff4"},
		{true, true, "\x00\x05\xff4"},
		{true, true, "\x00\x02\xff4\xff"},
		{true, true, "\x01\x01\xff\x07"},
		{true, true, "\x01\x00\xff"},
		{true, true, "\x00\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff4"},
	} {
		if got, err := parseAll(c.body, c.older, c.octets); err == nil {
			t.Errorf("%q (revision 3: %v, octets: %v): got %v, want an error", c.body, c.older, c.octets, got)
		}
	}
}

func TestPayloadsAreReadNoFurtherThanTheReceiverWants(t *testing.T) {
	stop := errors.New("stop")
	n := 0
	err := parsePayload([]byte("4a\x1e4b"), false, false, func(packet) error { n++; return stop })
	if n != 1 || err != stop {
		t.Errorf("got %d packets and %v, want 1 and %v", n, err, stop)
	}
}

func TestPayloadsAreWrittenAsTheProtocolHasThem(t *testing.T) {
	hello, four := NewMessage([]byte("hello")), NewBinary([]byte{1, 2, 3, 4})
	both := NewMessage([]byte("€😀"), []byte{255}, nil)
	for _, c := range []struct {
		list       []*Message
		older, b64 bool
		want       string
		octets     bool
	}{
		{[]*Message{hello, four}, false, false, "4hello\x1ebAQIDBA==", false},
		{[]*Message{four, hello}, false, false, "bAQIDBA==\x1e4hello", false},
		{[]*Message{both, noopPacket}, false, false, "4€😀\x1eb/w==\x1eb\x1e6", false},
		{[]*Message{hello, pingPacket}, true, false, "6:4hello1:2", false},
		{[]*Message{hello, four}, true, true, "6:4hello10:b4AQIDBA==", false},
		{[]*Message{both}, true, true, "4:4€😀6:b4/w==2:b4", false},
		{[]*Message{hello, four}, true, false, "\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04", true},
		{[]*Message{NewBinary(make([]byte, 99))}, true, false,
			"\x01\x01\x00\x00\xff\x04" + strings.Repeat("\x00", 99), true},
	} {
		got, octets := appendPayload(nil, c.list, c.older, c.b64)
		if string(got) != c.want || octets != c.octets {
			t.Errorf("revision 3: %v, b64: %v: got %q, %v, want %q, %v", c.older, c.b64, got, octets, c.want, c.octets)
		}
	}
}

func TestFramesOfRevision3HaveATypeBeforeBinary(t *testing.T) {
	m := NewMessage([]byte("a"), make([]byte, 125))
	want := append([]byte("\x81\x024a\x82\x7e\x00\x7e\x04"), make([]byte, 125)...)
	if got := m.framesFor(true); !bytes.Equal(got, want) {
		t.Errorf("revision 3: got %q, want %q", got, want)
	}
	want = append([]byte("\x81\x024a\x82\x7d"), make([]byte, 125)...)
	if got := m.framesFor(false); !bytes.Equal(got, want) {
		t.Errorf("revision 4: got %q, want %q", got, want)
	}
	if got, want := m.Size(), 126; got != want {
		t.Errorf("size: got %d, want %d", got, want)
	}
}

func TestATextMessageIsTwoAllocations(t *testing.T) {
	text := []byte("hello")
	if n := testing.AllocsPerRun(100, func() { NewMessage(text) }); n > 2 {
		t.Errorf("got %v allocations, want the Message and its frame", n)
	}
}

func TestABatchJoinsTheFramesOfItsMessages(t *testing.T) {
	var b Batch
	for range 2 {
		b.Add(NewMessage([]byte("a")))
		b.Add(NewMessage([]byte("b"), []byte{7}))
		if b.Len() != 2 || b.Size() != 3 {
			t.Errorf("got %d messages of %d bytes, want 2 of 3", b.Len(), b.Size())
		}
		if got, want := string(b.framesFor(false)), "\x81\x024a\x81\x024b\x82\x01\x07"; got != want {
			t.Errorf("revision 4: got %q, want %q", got, want)
		}
		if got, want := string(b.framesFor(true)), "\x81\x024a\x81\x024b\x82\x02\x04\x07"; got != want {
			t.Errorf("revision 3: got %q, want %q", got, want)
		}
		b.Add(NewMessage(nil))
		if got, want := string(b.framesFor(false)), "\x81\x024a\x81\x024b\x82\x01\x07\x81\x014"; got != want {
			t.Errorf("with one more: got %q, want %q", got, want)
		}
		b.Reset()
		if b.Len() != 0 || b.Size() != 0 {
			t.Errorf("after Reset: got %d messages of %d bytes, want none", b.Len(), b.Size())
		}
	}
}

func FuzzPayloadsAreReadWithoutHarm(f *testing.F) {
	for _, s := range []string{"4hello\x1ebAQIDBA==", "6:4hello10:b4AQIDBA==", "3:4😀2:4é",
		"\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04"} {
		f.Add(s, true, false)
		f.Add(s, true, true)
		f.Add(s, false, false)
	}
	f.Fuzz(func(t *testing.T, body string, older, octets bool) {
		list, err := parseAll(body, older, octets)
		if err != nil {
			return
		}
		total := 0
		for _, k := range list {
			total += len(k.data)
			if k.kind < typeOpen || k.kind > typeNoop {
				t.Fatalf("%q: got type %q", body, k.kind)
			}
			if !k.binary && !utf8.ValidString(k.data) {
				t.Fatalf("%q: got text %q, which is not UTF-8", body, k.data)
			}
		}
		if total > len(body) {
			t.Fatalf("%q: got %d bytes of %d", body, total, len(body))
		}
	})
}

func FuzzPayloadsComeBackAsTheyWere(f *testing.F) {
	f.Add("hello", []byte{1, 2}, "😀é", true, true)
	f.Add("", []byte{}, "\x1e", false, false)
	f.Fuzz(func(t *testing.T, first string, data []byte, second string, older, b64 bool) {
		if !utf8.ValidString(first) || !utf8.ValidString(second) {
			return
		}
		if !older && strings.ContainsRune(first+second, separator) { // JSON escapes it
			return
		}
		list := []*Message{NewMessage([]byte(first), data), NewMessage([]byte(second))}
		want := []said{{'4', false, first}, {'4', true, string(data)}, {'4', false, second}}
		body, octets := appendPayload(nil, list, older, b64)
		got, err := parseAll(string(body), older, octets)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q: got %v, %v, want %v", body, got, err, want)
		}
	})
}

func FuzzUTF16UnitsAreThoseOfTheLanguage(f *testing.F) {
	f.Add("aé€😀")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		want := len(utf16.Encode([]rune(s)))
		if got := utf16Units([]byte(s)); got != want {
			t.Fatalf("%q: got %d units, want %d", s, got, want)
		}
		if n, ok := bytesOfUnits([]byte(s), want); n != len(s) || !ok {
			t.Fatalf("%q: got %d bytes, %v, want %d", s, n, ok, len(s))
		}
	})
}
