package forward

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/device"
	"github.com/switchboard-relay/switchboard/frame"
)

// Fields is what a template has of a message: {{.name}} and so on.
var Fields = []string{"id", "fleet", "name", "at", "kind", "flags", "session", "hex", "base64", "text", "json"}

// mostTemplate is the longest template, bytes.
const mostTemplate = 16 << 10

// parseTemplate checks a template by having it written once.
func parseTemplate(text string) (*template.Template, error) {
	if len(text) > mostTemplate {
		return nil, fmt.Errorf("is longer than %d bytes", mostTemplate)
	}
	t, err := template.New("").Option("missingkey=error").Parse(text)
	if err == nil {
		m := &message{Message: &frame.Message{Data: []byte("x")}, stream: &stream{id: "4tq9m2xk7bfd-n1"}, person: &person{"fleet", "name", nil}}
		err = t.Execute(new(bytes.Buffer), fieldsOf(m))
	}
	if err != nil {
		return nil, fmt.Errorf("%s; it has {{.%s}}", strings.TrimPrefix(err.Error(), "template: "), strings.Join(Fields, "}}, {{."))
	}
	return t, nil
}

func fieldsOf(m *message) map[string]any {
	return map[string]any{
		"id": string(appendID(nil, m)), "fleet": m.person.fleet, "name": m.person.name, "at": m.at, "kind": kindOf(m.Kind),
		"flags": strings.ReplaceAll(string(appendFlags(nil, m.Flags)), `"`, ""), "session": string(m.stream.id),
		"hex": hex.EncodeToString(m.Data), "base64": base64.StdEncoding.EncodeToString(m.Data),
		"text": toText(m.Data), "json": string(appendObject(nil, m, device.Base64)),
	}
}

func toText(p []byte) string {
	if utf8.Valid(p) {
		return string(p)
	}
	return strings.ToValidUTF8(string(p), "\ufffd")
}

// appendShaped appends a message as the template has it.
func appendShaped(b []byte, t *template.Template, m *message) []byte {
	out := bytes.NewBuffer(b)
	if err := t.Execute(out, fieldsOf(m)); err != nil { // one that worked when it was checked, and has no other fields
		fmt.Fprintf(out, "%v", err)
	}
	return out.Bytes()
}
