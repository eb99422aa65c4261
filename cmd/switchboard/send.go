package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/switchboard-relay/switchboard/session"
)

// SendCmd sends bytes to the far end of a live session.
type SendCmd struct {
	serverFlags
	Hex    bool   `xor:"form" help:"TEXT is hex digits; spaces, colons and 0x between them do not matter."`
	Escape bool   `short:"e" xor:"form" help:"TEXT has escapes: \\n \\r \\t \\0 \\xFF \\u4E2D \\\\."`
	ID     string `arg:"" help:"The session's id, or the first characters of it."`
	Text   string `arg:"" help:"What to send, exactly: no newline is added. - reads it from the standard input."`
}

// Run sends.
func (c *SendCmd) Run(ctx context.Context, std *stdio) error {
	input := io.Reader(strings.NewReader(c.Text))
	if c.Text == "-" {
		input = std.in
	}
	if c.Hex || c.Escape || c.Text != "-" {
		data, err := decodeText(input, c.Hex, c.Escape)
		if err != nil {
			return err
		}
		input = bytes.NewReader(data)
	}
	server, err := c.find()
	if err != nil {
		return err
	}
	if isRef(c.ID) {
		return badUsage("%s is a source's session, and nothing can be sent to those: the source streams what its sessions show, and takes kicks", printable(c.ID))
	}
	sum, err := server.session(ctx, c.ID)
	if err != nil {
		return err
	}
	sent, err := sendAll(ctx, server, sum.ID, input)
	if err != nil && sent > 0 {
		return fmt.Errorf("only %d bytes were sent to %s: %w", sent, sum.ID, err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%d bytes sent to %s\n", sent, sum.ID)
	return err
}

// sendLimit is the most that one request may carry.
const sendLimit = 1 << 20

// sendAll passes input on as it comes.
func sendAll(ctx context.Context, server *client, id session.ID, input io.Reader) (sent int, err error) {
	chunk := make([]byte, sendLimit)
	for {
		n, err := input.Read(chunk)
		if n > 0 {
			if err := server.post(ctx, sessionPath(string(id))+"/send", kindBytes, chunk[:n], nil); err != nil {
				return sent, err
			}
			sent += n
		}
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF):
			return sent, fmt.Errorf("read what to send: %w", err)
		case sent == 0:
			return 0, badUsage("there is nothing to send")
		default:
			return sent, nil
		}
	}
}

// decodeText reads what stands for bytes: hex digits, a text with escapes, or the bytes themselves.
func decodeText(input io.Reader, asHex, escape bool) ([]byte, error) {
	text, err := io.ReadAll(input)
	if err != nil {
		return nil, fmt.Errorf("read what to send: %w", err)
	}
	switch {
	case asHex:
		return parseHex(string(text))
	case escape:
		return parseEscapes(string(text))
	}
	return text, nil
}

// hexBetween takes away what may stand between bytes.
var hexBetween = strings.NewReplacer(" ", "", "\n", "", "\r", "", "\t", "", ":", "", ",", "", "0x", "", "0X", "")

// parseHex reads hex digits in pairs, however they are set apart.
func parseHex(s string) ([]byte, error) {
	digits := hexBetween.Replace(s)
	data, err := hex.DecodeString(digits)
	var wrong hex.InvalidByteError
	switch {
	case errors.As(err, &wrong):
		return nil, badUsage("--hex: %q is not a hex digit: write bytes as in 48 65 6c 6c 6f", rune(wrong))
	case err != nil:
		return nil, badUsage("--hex: a digit is missing: each byte takes two, as in 48 65 6c 6c 6f")
	}
	return data, nil
}

// parseEscapes replaces \a \b \e \f \n \r \t \v \0 \\ \" \' \xHH \uHHHH \UHHHHHHHH and \NNN (octal).
func parseEscapes(s string) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for s != "" {
		plain, rest, found := strings.Cut(s, `\`)
		out = append(out, plain...)
		if !found {
			break
		}
		b, n, err := parseEscape(rest)
		if err != nil {
			return nil, err
		}
		out = append(out, b...)
		s = rest[n:]
	}
	return out, nil
}

// parseEscape reads one escape without its backslash, and says how many bytes of s it took.
func parseEscape(s string) (b []byte, n int, err error) {
	if s == "" {
		return nil, 0, badUsage(`-e: the last \ escapes nothing: write \\ for a backslash`)
	}
	if i := strings.IndexByte(`abefnrtv\"'`, s[0]); i >= 0 {
		return []byte{"\a\b\x1b\f\n\r\t\v\\\"'"[i]}, 1, nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[0]]
	switch {
	case digits > 0 && len(s) > digits:
		v, err := strconv.ParseUint(s[1:1+digits], 16, 32)
		switch {
		case err != nil || digits > 2 && !utf8.ValidRune(rune(v)):
		case digits == 2:
			return []byte{byte(v)}, 1 + digits, nil
		default:
			return utf8.AppendRune(nil, rune(v)), 1 + digits, nil
		}
	case s[0] >= '0' && s[0] <= '7':
		for n < len(s) && n < 3 && s[n] >= '0' && s[n] <= '7' {
			n++
		}
		if v, err := strconv.ParseUint(s[:n], 8, 8); err == nil {
			return []byte{byte(v)}, n, nil
		}
	}
	wrong := s[:min(len(s), digits+1)]
	return nil, 0, badUsage(`-e: \%s is no escape: there are \n \r \t \0 \e \\ \xFF \u4E2D`, wrong)
}
