package command

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/device"
)

// Values of Command.When.
const (
	Now    = "now"    // as soon as the device is there and it is the command's turn
	Uplink = "uplink" // right behind the device's next message
)

// bad is an error of who asked.
func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrBad, fmt.Errorf(format, args...))
}

// check makes a command of a request, with all that is not said filled in.
func (q *Queue) check(req *device.CommandRequest, by string, now time.Time) (c device.Command, err error) {
	var defaults Defaults
	if q.opt.Defaults != nil {
		defaults = q.opt.Defaults(req.Fleet)
	}
	c = device.Command{ID: req.ID, Fleet: req.Fleet, Name: req.Name, When: cmp.Or(req.When, Now), Ack: defaults.Ack, By: by,
		State: device.Queued, Created: now.UnixMicro()}
	if req.Ack != nil {
		c.Ack = *req.Ack
	}
	for _, n := range []struct{ what, name string }{{"fleet", c.Fleet}, {"name", c.Name}, {"id", c.ID}} {
		if err := checkName(n.what, n.name); err != nil && (n.what != "id" || c.ID != "") {
			return c, err
		}
	}
	if c.ID == "" {
		c.ID = newID()
	}
	if c.When != Now && c.When != Uplink {
		return c, bad("when %.40q: must be %s or %s", c.When, Now, Uplink)
	}
	if c.Data, err = Decode(req.Data, req.Encoding); err != nil {
		return c, err
	}
	if _, err := newRule(&c); err != nil {
		return c, err
	}
	ttl := cmp.Or(defaults.TTL, DefaultTTL)
	if req.TTL != "" {
		if ttl, err = parseDuration(req.TTL); err != nil || ttl <= 0 || ttl > MaxTTL {
			return c, bad("ttl %.40q: must be a time such as 30s, 1h or 7d, at most 90d", req.TTL)
		}
	}
	c.Expires = c.Created + ttl.Microseconds()
	return c, nil
}

func checkName(what, name string) error {
	switch {
	case name == "":
		return bad("%s is missing", what)
	case len(name) > MaxName:
		return bad("%s has %d bytes: at most %d are allowed", what, len(name), MaxName)
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return bad("%s must be UTF-8 without NUL", what)
	}
	return nil
}

func newID() string { return strings.ToLower(rand.Text())[:20] }

// parseDuration reads 500ms, 10s, 5m, 2h or 30d.
func parseDuration(s string) (time.Duration, error) {
	days, found := strings.CutSuffix(s, "d")
	if !found {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	return time.Duration(n) * 24 * time.Hour, err
}

// Decode reads a command's bytes as the encoding writes them in JSON; none is text. An error wraps ErrBad.
func Decode(data json.RawMessage, as device.Encoding) (p []byte, err error) {
	as = cmp.Or(as, device.Text)
	switch as {
	case device.Buffer:
		p, err = decodeBuffer(data)
	case device.Text, device.Hex, device.Base64:
		p, err = decodeString(data, as)
	default:
		return nil, bad("encoding %.40q: must be text, hex, base64 or buffer", as)
	}
	switch {
	case err != nil:
		return nil, err
	case len(p) == 0:
		return nil, bad("data is empty: there is nothing to send")
	case len(p) > MaxData:
		return nil, bad("data has %d bytes: at most %d are allowed", len(p), MaxData)
	}
	return p, nil
}

func decodeString(data json.RawMessage, as device.Encoding) (p []byte, err error) {
	var s *string
	if len(data) > 0 && json.Unmarshal(data, &s) != nil {
		return nil, bad("data must be a string, which encoding %s reads; arrays of numbers are of encoding buffer", as)
	}
	if s == nil {
		return nil, bad("data is missing")
	}
	switch as {
	case device.Hex:
		digits := strings.Join(strings.Fields(*s), "")
		if p, err = hex.DecodeString(digits); err != nil {
			return nil, bad("data is no hexadecimal: write two digits for each byte, as in \"78 78 0d\"")
		}
	case device.Base64:
		if p, err = base64.StdEncoding.DecodeString(*s); err != nil {
			return nil, bad("data is no base64: %w", err)
		}
	default:
		p = []byte(*s)
	}
	return p, nil
}

// decodeBuffer reads {"type":"Buffer","data":[69,84]}, or the numbers alone: protocol document, section 5.
func decodeBuffer(data json.RawMessage) ([]byte, error) {
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '{' {
		var object struct {
			Type *string         `json:"type"`
			Data json.RawMessage `json:"data"`
		}
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		if err := d.Decode(&object); err != nil || object.Type == nil || *object.Type != "Buffer" {
			return nil, bad(`data must be an object such as {"type":"Buffer","data":[69,84]}`)
		}
		data = object.Data
	}
	var numbers []uint16
	if err := json.Unmarshal(data, &numbers); err != nil || numbers == nil {
		return nil, bad("data must be an array of numbers from 0 to 255")
	}
	p := make([]byte, len(numbers))
	for i, n := range numbers {
		if n > 255 {
			return nil, bad("data: number %d is %d: a byte is from 0 to 255", i+1, n)
		}
		p[i] = byte(n)
	}
	return p, nil
}

// requestKeys are the keys of a CommandRequest.
var requestKeys = []string{"fleet", "name", "data", "encoding", "id", "ttl", "when", "ack"}

// Parse reads a request as it is written on the web server's link and sent to REST: one object of JSON. Errors wrap ErrBad
// and name the key. The id is there with an error as well, if it could be read.
func Parse(line []byte) (req device.CommandRequest, err error) {
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(line, &keys); err != nil {
		return req, bad(`a command is an object of JSON such as {"name":"…","data":"…"}`)
	}
	if json.Unmarshal(keys["id"], &req.ID) != nil {
		req.ID = ""
	}
	into := map[string]any{"fleet": &req.Fleet, "name": &req.Name, "data": &req.Data, "encoding": &req.Encoding, "id": &req.ID,
		"ttl": &req.TTL, "when": &req.When}
	for key, value := range keys {
		if key == "ack" {
			if req.Ack, err = parseAck(value); err != nil {
				return req, err
			}
		} else if field, known := into[key]; !known {
			return req, bad("there is no key %.40q: a command has %s", key, strings.Join(requestKeys, ", "))
		} else if json.Unmarshal(value, field) != nil {
			return req, bad("%s must be a string", key)
		}
	}
	return req, nil
}

// parseAck reads a rule, as an object, or the name of a way alone.
func parseAck(value json.RawMessage) (*device.AckRule, error) {
	var rule device.AckRule
	if json.Unmarshal(value, &rule.By) == nil {
		return &rule, nil
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if err := d.Decode(&rule); err != nil {
		return nil, bad(`ack must be an object such as {"by":"pattern","pattern":"OK","timeout":"30s"}, or the way alone`)
	}
	return &rule, nil
}
