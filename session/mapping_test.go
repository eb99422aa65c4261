package session_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/session"
)

func TestBytesReadAsAnEvent(t *testing.T) {
	for _, c := range []struct {
		mapping *session.Mapping
		bytes   string
		want    string
	}{
		{nil, "hi", `["message","hi"]`},
		{&session.Mapping{}, "hi\n", `["message","hi"]`},
		{&session.Mapping{}, "hi\r\n", `["message","hi"]`},
		{&session.Mapping{}, "hi\n\n", `["message","hi\n"]`},
		{&session.Mapping{}, "hi\r", `["message","hi\r"]`},
		{&session.Mapping{}, "", `["message",""]`},
		{&session.Mapping{}, "a\"b\\c\x00\x1f\t<你>\u2028", `["message","a\"b\\c\u0000\u001f\t<你>` + "\u2028" + `"]`},
		{&session.Mapping{}, "a\xffb\xe4\xbd", `["message","a` + "\uFFFDb\uFFFD\uFFFD" + `"]`},
		{&session.Mapping{Event: "said \"it\""}, "x", `["said \"it\"","x"]`},
		{&session.Mapping{Field: "text"}, "x", `["message",{"text":"x"}]`},
		{&session.Mapping{Format: session.FormatJSON}, " {\"a\": 1}\r\n", `["message",{"a": 1}]`},
		{&session.Mapping{Format: session.FormatJSON}, "1 2\n", `["message","1 2"]`},
		{&session.Mapping{Format: session.FormatJSON}, "\"\xff\"", `["message","\"` + "\uFFFD" + `\""]`},
		{&session.Mapping{Format: session.FormatJSON, Field: "v"}, "null", `["message",{"v":null}]`},
		{&session.Mapping{Format: session.FormatBase64}, "\xff\xfe\n", `["message","//4K"]`},
		{&session.Mapping{Format: session.FormatBase64}, "", `["message",""]`},
	} {
		got := c.mapping.AppendEvent([]byte("x"), []byte(c.bytes))
		if string(got) != "x"+c.want {
			t.Errorf("%+v: %q reads as %s; want %s", c.mapping, c.bytes, got[1:], c.want)
		}
		if err := session.CheckEvent(got[1:]); err != nil {
			t.Errorf("%s: %v", got[1:], err)
		}
	}
}

func TestAnEventReadsAsBytes(t *testing.T) {
	text, field := &session.Mapping{}, &session.Mapping{Field: "text"}
	asJSON, base := &session.Mapping{Format: session.FormatJSON}, &session.Mapping{Format: session.FormatBase64}
	for _, c := range []struct {
		mapping *session.Mapping
		event   string
		want    string // as a datagram
		stream  string
	}{
		{nil, `["message","hi"]`, "hi", "hi\n"},
		{text, `["message","hi\n"]`, "hi\n", "hi\n"},
		{text, `["message",""]`, "", "\n"},
		{text, `["a","\ud83d\ude00\u4f60\/\"\\\b\f\n\r\t"]`, "😀你/\"\\\b\f\n\r\t", "😀你/\"\\\b\f\n\r\t\n"},
		{text, `["a","\ud83dx\ude00\ud83d\u0041"]`, "\uFFFDx\uFFFD\uFFFDA", "\uFFFDx\uFFFD\uFFFDA\n"},
		{text, ` [ "a" , { "b" : [1, "]}", {}] } , 2 ] `, `{ "b" : [1, "]}", {}] }`, "{ \"b\" : [1, \"]}\", {}] }\n"},
		{text, `["a",-1.5e3,2]`, "-1.5e3", "-1.5e3\n"},
		{text, `["a",null]`, "null", "null\n"},
		{field, `["a",{"text":"x"}]`, "x", "x\n"},
		{field, `["a",{"other":{"text":"no"},"text":["y"],"s":"\"text\":"}]`, `["y"]`, "[\"y\"]\n"},
		{field, `["a",{"text":"first","text":"last"}]`, "last", "last\n"},
		{field, `["a",{"\u0074ext" : "x"}]`, "x", "x\n"},
		{field, `["a",{"texts":1}]`, `{"texts":1}`, "{\"texts\":1}\n"},
		{field, `["a",{}]`, `{}`, "{}\n"},
		{field, `["a","bare"]`, "bare", "bare\n"},
		{asJSON, `["a","hi"]`, `"hi"`, "\"hi\"\n"},
		{asJSON, `["a",{"a":1},2]`, `{"a":1}`, "{\"a\":1}\n"},
		{base, `["a","//4K"]`, "\xff\xfe\n", "\xff\xfe\n"},
		{base, `["a","\u002f/4K"]`, "\xff\xfe\n", "\xff\xfe\n"},
		{base, `["a","no base64!"]`, "no base64!", "no base64!\n"},
		{base, `["a",7]`, "7", "7\n"},
	} {
		for stream, want := range map[bool]string{false: c.want, true: c.stream} {
			got := c.mapping.AppendBytes([]byte("x"), []byte(c.event), stream)
			if string(got) != "x"+want {
				t.Errorf("%+v: %s in a stream %v reads as %q; want %q", c.mapping, c.event, stream, got[1:], want)
			}
		}
	}
	for _, event := range []string{`["a"]`, ` [ "a" ] `, `[]`, `{}`, `"a"`, `[1,2]`, ``, `["a"`, `["a",]`,
		"[\"a\",\"\xff\"]"} {
		if got := text.AppendBytes(nil, []byte(event), true); len(got) > 0 {
			t.Errorf("%s reads as %q; want nothing", event, got)
		}
	}
}

func TestAnEventComesApart(t *testing.T) {
	for event, want := range map[string][2]string{
		`["a"]`:                    {"a", ""},
		` [ "a\u0062" , 1, [2] ] `: {"ab", "1, [2]"},
		`["","]"]`:                 {"", `"]"`},
	} {
		name, args, err := session.SplitEvent([]byte(event))
		if err != nil || name != want[0] || string(args) != want[1] {
			t.Errorf("%s: got %q, %q, %v; want %q", event, name, args, err, want)
		}
		again := session.AppendEvent(nil, name, args)
		if back, rest, err := session.SplitEvent(again); err != nil || back != name || !bytes.Equal(rest, args) {
			t.Errorf("%s became %s", event, again)
		}
	}
	if got := session.AppendPacket([]byte("x"), []byte(`["a",1]`)); string(got) != `x2["a",1]` {
		t.Errorf("got %s", got)
	}
	if _, _, err := session.SplitEvent([]byte(`[1]`)); !errors.Is(err, session.ErrBadEvent) {
		t.Errorf("got %v; want ErrBadEvent", err)
	}
}

func TestAMappingThatCannotBeSaysWhatWould(t *testing.T) {
	for _, m := range []session.Mapping{{}, {Format: "text", Event: "chat message", Field: "text"}, {Format: "json"},
		{Format: "base64"}} {
		if err := m.Check(); err != nil {
			t.Errorf("%+v: %v", m, err)
		}
	}
	for want, m := range map[string]session.Mapping{
		"use text, json or base64":   {Format: "hex"},
		"keeps this name for itself": {Event: "disconnect"},
		"1 to 256 bytes":             {Event: strings.Repeat("x", 257)},
		"UTF-8":                      {Field: "\xff"},
	} {
		if err := m.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q", m, err, want)
		}
	}
}

func TestInfoOfARoomCarriesItsMapping(t *testing.T) {
	info := session.Info{ID: "4tq9m2xk7bfd-n1", Terminal: "80x24",
		Mapping: &session.Mapping{Format: "json", Field: "<"}}
	want, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.AppendJSON(nil); !bytes.Equal(got, want) {
		t.Errorf("got %s; want %s", got, want)
	}
}

var formats = []session.Format{session.FormatText, session.FormatJSON, session.FormatBase64}

func FuzzBytesComeBackFromTheirEvent(f *testing.F) {
	f.Add([]byte("hi\n"), "", uint8(0))
	f.Add([]byte("{\"text\":[1]}"), "text", uint8(1))
	f.Add([]byte("\xff\x00"), "f\"", uint8(2))
	f.Fuzz(func(t *testing.T, p []byte, field string, format uint8) {
		m := &session.Mapping{Format: formats[int(format)%len(formats)], Field: field}
		if m.Check() != nil {
			return
		}
		event := m.AppendEvent(nil, p)
		var parsed []any
		if err := json.Unmarshal(event, &parsed); err != nil || len(parsed) != 2 || parsed[0] != "message" {
			t.Fatalf("%q reads as %s: %v", p, event, err)
		}
		back := m.AppendBytes(nil, event, false)
		want := p
		switch {
		case m.Format == session.FormatBase64:
		case m.Format == session.FormatJSON && json.Valid(bytes.TrimSpace(p)) && utf8.Valid(bytes.TrimSpace(p)):
			want = bytes.TrimSpace(p)
		case m.Format == session.FormatJSON, !utf8.Valid(p), bytes.HasSuffix(p, []byte("\n")):
			return
		}
		if m.Field != "" && m.Format == session.FormatJSON && bytes.HasPrefix(want, []byte("{")) {
			return // its own member of that name would be taken out
		}
		if !bytes.Equal(back, want) {
			t.Fatalf("%q by %s came back as %q", p, event, back)
		}
	})
}

func FuzzEventsReadAsBytes(f *testing.F) {
	f.Add([]byte(`["message",{"text":"a\ud83d\ude00","text":{"x":[]}}, 1]`), "text", uint8(0))
	f.Add([]byte(`["a","\u00e9\uDC00"]`), "", uint8(2))
	f.Fuzz(func(t *testing.T, event []byte, field string, format uint8) {
		m := &session.Mapping{Format: formats[int(format)%len(formats)], Field: field}
		got := m.AppendBytes([]byte{'x'}, event, false)[1:]
		var parsed []any
		valid := json.Unmarshal(event, &parsed) == nil && utf8.Valid(event) && len(parsed) > 0
		if valid {
			_, valid = parsed[0].(string)
		}
		if valid != (session.CheckEvent(event) == nil) {
			t.Fatalf("%q: want an event %v, got %v", event, valid, session.CheckEvent(event))
		}
		if !valid || len(parsed) == 1 {
			if len(got) > 0 {
				t.Fatalf("%q reads as %q; want nothing", event, got)
			}
			return
		}
		if name, _, err := session.SplitEvent(event); err != nil || name != parsed[0] {
			t.Fatalf("%s is called %q, %v", event, name, err)
		}
		value := parsed[1]
		if object, isObject := value.(map[string]any); isObject && field != "" {
			if inner, has := object[field]; has && utf8.ValidString(field) {
				value = inner
			}
		}
		text, isText := value.(string)
		switch {
		case isText && m.Format == session.FormatText && string(got) != text:
			t.Fatalf("%s is %q; want %q", event, got, text)
		case !isText || m.Format == session.FormatJSON:
			var back any
			if err := json.Unmarshal(got, &back); err != nil || !bytes.Equal(session.JSON(back), session.JSON(value)) {
				t.Fatalf("%s is %q, %v", event, got, err)
			}
		}
	})
}

func BenchmarkAppendEvent(b *testing.B) {
	m := &session.Mapping{Field: "text"}
	p, buf := bytes.Repeat([]byte("text "), 20), make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		m.AppendEvent(buf, p)
	}
}

func BenchmarkAppendBytes(b *testing.B) {
	m := &session.Mapping{Field: "text"}
	event := m.AppendEvent(nil, bytes.Repeat([]byte("text "), 20))
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		m.AppendBytes(buf, event, true)
	}
}
