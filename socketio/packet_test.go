package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestPacketsAreReadAsTheProtocolSays(t *testing.T) {
	for _, c := range []struct {
		text string
		want packet
	}{
		{`0`, packet{kind: typeConnect, namespace: "/"}},
		{`0/admin`, packet{kind: typeConnect, namespace: "/admin"}},
		{`0/admin,{"a":1}`, packet{kind: typeConnect, namespace: "/admin", data: []byte(`{"a":1}`)}},
		{`0/admin?x=1&y=2,`, packet{kind: typeConnect, namespace: "/admin", query: "x=1&y=2"}},
		{`1/admin,`, packet{kind: typeDisconnect, namespace: "/admin"}},
		{`2["a"]`, packet{kind: typeEvent, namespace: "/", data: []byte(`["a"]`)}},
		{`2[1]`, packet{kind: typeEvent, namespace: "/", data: []byte(`[1]`)}},
		{`2/n,12["a",{"b":"]"}]`, packet{kind: typeEvent, namespace: "/n", id: 12, hasID: true, data: []byte(`["a",{"b":"]"}]`)}},
		{`30[]`, packet{kind: typeAck, namespace: "/", hasID: true, data: []byte(`[]`)}},
		{`39007199254740991[1]`, packet{kind: typeAck, namespace: "/", id: 9007199254740991, hasID: true, data: []byte(`[1]`)}},
		{`51-["a",{"_placeholder":true,"num":0}]`, packet{kind: typeBinaryEvent, namespace: "/", attachments: 1,
			data: []byte(`["a",{"_placeholder":true,"num":0}]`)}},
		{`610-/n,7[]`, packet{kind: typeBinaryAck, namespace: "/n", attachments: 10, id: 7, hasID: true, data: []byte(`[]`)}},
	} {
		got, err := parsePacket([]byte(c.text), 10)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got.kind != c.want.kind || got.namespace != c.want.namespace || got.query != c.want.query || got.id != c.want.id ||
			got.hasID != c.want.hasID || got.attachments != c.want.attachments || !bytes.Equal(got.data, c.want.data) {
			t.Errorf("%s: got %+v; want %+v", c.text, got, c.want)
		}
	}
}

func TestMalformedPacketsAreRefused(t *testing.T) {
	for _, text := range []string{``, `7`, `a`, `0[]`, `0"x"`, `0{`, `1{}`, `2`, `2{}`, `2[]`, `2[{}]`, `2[null]`, `2["a"`,
		`2["a"]x`, `2["connect"]`, `2["disconnect"]`, `2["newListener"]`, `3[]`, `31`, `31{}`, `4{"message":"x"}`, `5["a"]`,
		`50-["a"]`, `511-["a"]`, `5-1-["a"]`, `51["a"]`, `51.5-["a"]`, `599999999999-["a"]`, "2[\"\xff\"]",
		`2/` + strings.Repeat("n", 300) + `,["a"]`, `2` + strings.Repeat("1", 17) + `["a"]`} {
		if k, err := parsePacket([]byte(text), 10); !errors.Is(err, errPacket) {
			t.Errorf("%.60q is taken as %+v, %v", text, k, err)
		}
	}
	for _, data := range []string{`["a",{"_placeholder":true,"num":1}]`, `["a",{"_placeholder":true,"num":-1}]`,
		`["a",{"_placeholder":true,"num":0.5}]`, `["a",{"num":"0","_placeholder":true}]`, `["a",{"_placeholder":true}]`} {
		if err := checkPlaceholders([]byte(data), 1); err == nil {
			t.Errorf("%s passes with one attachment", data)
		}
	}
	for _, data := range []string{`["a",{"_placeholder":true,"num":0}]`, `["a",{"x":[{"num":0,"_placeholder":true}]}]`,
		`["a",{"_placeholder":false,"num":9}]`, `["a","{\"_placeholder\":true,\"num\":9}"]`} {
		if err := checkPlaceholders([]byte(data), 1); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestArgumentsComeBack(t *testing.T) {
	type thing struct {
		Name string `json:"name"`
		Data Binary `json:"data"`
	}
	d, err := newDraft("e", []any{"te\"x\tt\n中\xff", 7, nil, []byte{1, 2}, thing{"n", Binary{3}}, json.RawMessage(`[1]`), true, 1.5}, 10)
	if err != nil {
		t.Fatal(err)
	}
	out := d.seal("/n", nil, nil)
	k, err := parsePacket(out.message.Text(), 10)
	if err != nil {
		t.Fatalf("%s: %v", out.message.Text(), err)
	}
	if len(out.message.Binary()) != 2 || k.attachments != 2 {
		t.Fatalf("%s has %d attachments; want 2", out.message.Text(), len(out.message.Binary()))
	}
	_, rest := nextElement(k.data[1:])
	args := Args{list: rest, binary: out.message.Binary()}
	if args.Len() != 8 {
		t.Fatalf("got %d arguments in %s; want 8", args.Len(), out.message.Text())
	}
	var text string
	var n int
	var null any
	var p []byte
	var th thing
	var remaining Args
	if err := args.Decode(&text, &n, &null, &p, &th, &remaining); err != nil {
		t.Fatal(err)
	}
	if text != "te\"x\tt\n中\uFFFD" || n != 7 || null != nil || !bytes.Equal(p, []byte{1, 2}) || th.Name != "n" ||
		!bytes.Equal(th.Data, []byte{3}) || remaining.Len() != 3 || string(args.At(5)) != "[1]" {
		t.Errorf("got %q %d %v %v %+v and %d more of %s", text, n, null, p, th, remaining.Len(), out.message.Text())
	}
	again, err := newDraft("e", []any{[]byte("first"), args}, 10)
	if err != nil {
		t.Fatal(err)
	}
	if text := again.seal("/", nil, nil).message.Text(); !json.Valid(text[len("53-"):]) || !bytes.Contains(text, []byte(`"num":2`)) {
		t.Errorf("passed on: %s; want attachments 0 to 2", text)
	}
	if d, err := newDraft("e", []any{Args{}, "x", Args{}}, 10); err != nil || string(d.seal("/", nil, nil).message.Text()) != `2["e","x"]` {
		t.Errorf("no arguments among others: %s, %v", d.payload, err)
	}
}

func TestAttachmentsTravelWithinJSON(t *testing.T) {
	_, rest := nextElement([]byte(`"e",{"a":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0},"x"]`))
	whole := Args{list: rest, binary: [][]byte{{1}, {2, 3}}}.AppendWhole(nil)
	const want = `[{"a":{"_placeholder":true,"base64":"AgM="}},{"_placeholder":true,"base64":"AQ=="},"x"]`
	if string(whole) != want {
		t.Fatalf("got %s; want %s", whole, want)
	}
	p, binary := detach(whole, 2)
	if string(p) != `[{"a":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1},"x"]` || len(binary) != 2 ||
		!bytes.Equal(binary[0], []byte{2, 3}) {
		t.Errorf("got %s with %v", p, binary)
	}
	for _, text := range []string{want[:1] + strings.Repeat(`{"_placeholder":true,"base64":"AQ=="},`, 3) + `0]`,
		`[{"_placeholder":true,"base64":"!"}]`, `[{"_placeholder":true,"base64":"AQ==","x":1}]`,
		`[{"_placeholder":true,"base64":"AQ=="},{"_placeholder":true,"num":9}]`} {
		if p, binary := detach([]byte(text), 2); string(p) != text || binary != nil {
			t.Errorf("%s became %s with %v; want it as it was", text, p, binary)
		}
	}
}

func TestPlaceholdersAreWhatStockClientsTakeThemFor(t *testing.T) {
	const good = `{"_placeholder":true,"num":0}`
	for text, want := range map[string]bool{
		`["e",` + good + `]`: true,
		`["e",{"a":[{"b":` + good + `}]},` + good + `,{"_placeholder":1,"num":9}]`:                   true,
		`["e",` + good + `,{"_pl\u0061ceholder":true,"num":9}]`:                                      false,
		`["e",` + good + `,{"_placeholder":true,"num":99,"NUM":0}]`:                                  false,
		`["e",` + good + `,{"_placeholder":true,"num":0,"x":"` + strings.Repeat("x", 200) + `"}]`:    false,
		`["e",{"a":` + good + `,"_placeholder":true,"num":-1}]`:                                      false,
		`["e",` + good + `,{"_placeholder":true,"num":0.5}]`:                                         false,
		`["e",` + good + `,{"_placeholder":true,"num":"0"}]`:                                         false,
		`["e",` + good + `,{"_placeholder":true}]`:                                                   false,
		`["e",` + good + `,{"_placeholder":true,"num":1}]`:                                           false,
		`["e",` + good + `,{"num":0,"_placeholder":false,"_placeholder":true,"_placeholder":false}]`: true,
	} {
		if err := checkPlaceholders([]byte(text), 1); (err == nil) != want {
			t.Errorf("%s: %v; want it taken: %v", text, err, want)
		}
	}
	look := map[string]any{"_placeholder": true, "base64": "!"} // as a client may have said it
	if d, err := newDraft("e", []any{look, Binary{1}, map[string]any{"b": Binary{2}}}, 10); err != nil || len(d.binary) != 2 {
		t.Errorf("what only looks like an attachment: %v", err)
	}
	if _, err := newDraft("e", []any{[]byte{1}, []byte{2}, []byte{3}}, 2); err == nil {
		t.Error("more attachments than clients take can be sent")
	}
}

func FuzzPackets(f *testing.F) {
	for _, text := range []string{`2/n,12["a",{"b":"]"}]`, `51-["a",{"_placeholder":true,"num":0}]`, `0/admin?x=1,{"a":1}`, `30[]`,
		`2["a","\ud800"]`, `2 ["a" , 1 ]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		k, err := parsePacket(p, 10)
		if err != nil {
			return
		}
		if k.kind != typeEvent && k.kind != typeBinaryEvent {
			return
		}
		first, rest := nextElement(k.data[1:])
		var list []json.RawMessage
		if err := json.Unmarshal(k.data, &list); err != nil {
			t.Fatalf("%q was taken, and is no array: %v", p, err)
		}
		args := Args{list: rest}
		if string(first) != string(list[0]) || args.Len() != len(list)-1 {
			t.Fatalf("%q: the first is %q of %d; want %q of %d", p, first, args.Len(), list[0], len(list)-1)
		}
		for i := range list[1:] {
			if string(args.At(i)) != string(list[i+1]) {
				t.Fatalf("%q: argument %d is %q; want %q", p, i, args.At(i), list[i+1])
			}
		}
		checkPlaceholders(k.data, k.attachments)
		if !json.Valid(args.AppendJSON(nil)) {
			t.Fatalf("%q: %q is no JSON", p, args.AppendJSON(nil))
		}
	})
}
