package main

import "testing"

func TestHexIsReadHoweverItIsSetApart(t *testing.T) {
	for _, in := range []string{"48656c6c6f", "48 65 6C 6c 6f", "48:65:6c:6c:6f", "0x48, 0x65, 0x6c, 0x6c, 0x6f",
		"4865 6c6c\n6f"} {
		if got, err := parseHex(in); err != nil || string(got) != "Hello" {
			t.Errorf("parseHex(%q): got %q, %v, want Hello", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"4":  "--hex: a digit is missing: each byte takes two, as in 48 65 6c 6c 6f",
		"4g": "--hex: 'g' is not a hex digit: write bytes as in 48 65 6c 6c 6f",
	} {
		if _, err := parseHex(in); err == nil || err.Error() != want {
			t.Errorf("parseHex(%q): got %v, want %s", in, err, want)
		}
	}
}

func TestEscapesStandForBytes(t *testing.T) {
	for in, want := range map[string]string{
		`plain`: "plain", `a\r\n`: "a\r\n", `\x00\xff`: "\x00\xff", `\u4e2d\U0001F600`: "中😀", `\\n`: `\n`, `\0`: "\x00",
		`\033[0m`: "\x1b[0m", `\e[0m`: "\x1b[0m", `中\t文`: "中\t文", `\"\'`: `"'`, `\1234`: "S4",
	} {
		if got, err := parseEscapes(in); err != nil || string(got) != want {
			t.Errorf("parseEscapes(%s): got %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{`\`, `a\`, `\q`, `\x`, `\xg0`, `\u12`, `\ud800`, `\8`, `\777`} {
		if got, err := parseEscapes(in); err == nil {
			t.Errorf("parseEscapes(%s): got %q, want an error", in, got)
		}
	}
}
