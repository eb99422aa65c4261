package frame

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// parseBytes reads bytes as a Spec has them: text with the escapes of Go's strings and \0, or hex:78 78. Text that is no ASCII is UTF-8.
func parseBytes(s string) ([]byte, error) {
	if digits, found := strings.CutPrefix(s, "hex:"); found {
		b, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		if err != nil {
			return nil, fmt.Errorf("%q is not hexadecimal: write two digits for each byte, as in hex:78 78", s)
		}
		return b, nil
	}
	var b []byte
	for rest := s; rest != ""; {
		if rest[0] != '\\' {
			b, rest = append(b, rest[0]), rest[1:]
			continue
		}
		if strings.HasPrefix(rest, `\'`) || strings.HasPrefix(rest, `\"`) {
			b, rest = append(b, rest[1]), rest[2:]
			continue
		}
		if rest[1:] == "0" || len(rest) > 2 && rest[1] == '0' && (rest[2] < '0' || rest[2] > '7') {
			b, rest = append(b, 0), rest[2:]
			continue
		}
		c, multibyte, tail, err := strconv.UnquoteChar(rest, 0)
		if err != nil {
			return nil, fmt.Errorf(`%q has an escape that is none of Go's strings: write \r, \n, \x7e, or \\ for a backslash`, s)
		}
		if multibyte {
			b = append(b, string(c)...)
		} else {
			b = append(b, byte(c))
		}
		rest = tail
	}
	return b, nil
}

// appendDigits writes BCD as hexadecimal digits.
func appendDigits(b, bcd []byte) []byte {
	return hex.AppendEncode(b, bcd)
}

// isDigits reports whether all of p is decimal digits, and there are some.
func isDigits(p []byte) bool {
	for _, c := range p {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(p) > 0
}

// luhn reports whether the last of the decimal digits is the check digit of the others, as it is of an IMEI.
func luhn(digits []byte) bool {
	if !isDigits(digits) {
		return false
	}
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
