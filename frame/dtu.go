package frame

import "bytes"

var etungStart = []byte("ETUNG:")

// findETUNG finds ETUNG:NAME and a terminator of any value: protocol document, section 5. The terminator is the last byte of
// what is there, unless it may as well be a part of the name: then more may come. Data may follow "\n" and "\r", and the
// terminator of an IMEI.
func findETUNG(p []byte, w *work) match {
	switch startsWith(p, etungStart) {
	case no:
		return match{n: -1}
	case unsure:
		return match{n: -1, alive: true}
	}
	const lo = 6
	said := p[lo:]
	if end := bytes.IndexAny(said, "\r\n"); end >= 0 {
		n := lo + end + 1
		if p[n-1] == '\r' && n < len(p) && p[n] == '\n' {
			n++
		}
		return match{n: n, lo: lo, hi: lo + end}
	}
	const imei = 15
	if len(said) > imei && isDigits(said[:imei]) && (len(said) == imei+1 || said[imei] == '#') {
		return match{n: lo + imei + 1, lo: lo, hi: lo + imei}
	}
	if len(said) == 1 && !inName(said[0]) {
		return match{n: -1} // a terminator, and no name
	}
	if end := len(said) - 1; end > 0 && (w.final || !inName(said[end])) {
		return match{n: len(p), lo: lo, hi: lo + end}
	}
	return match{n: -1, alive: true}
}

// inName reports whether names have such bytes.
func inName(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_' || c == '.'
}

// DTUs and serial servers send what they were set up to send. These are the makers' examples and defaults: LOGIN:1001, an
// IMEI; and www.usr.cn, a single 00, or an empty line.
const (
	dtuLogin = `(?i:LOGIN:|REG:|IMEI:)(?P<name>[0-9A-Za-z_.-]{1,64})[\r\n;#]*`
	dtuIMEI  = `(?P<name>\d{15})[\r\n;#]*`
)

var dtuBeats = []string{`(?i:www\.usr\.cn)`, `[\x00\xff]`, `\r?\n`}
