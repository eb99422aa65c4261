package frame

import (
	"regexp"
	"testing"
	"unicode/utf8"
)

// latin is bytes as a text whose characters are those bytes.
func latin(p []byte) string {
	var b []byte
	for _, c := range p {
		b = utf8.AppendRune(b, rune(c))
	}
	return string(b)
}

// agree holds a pattern to matching what package regexp matches, in a text of the same characters.
func agree(t *testing.T, text string, p []byte) {
	t.Helper()
	ours, err := makePattern(text, false, false)
	if err != nil {
		return
	}
	theirs, err := regexp.Compile("^(?:" + text + ")")
	if err != nil {
		t.Fatalf("%q: package regexp does not take it: %v", text, err)
	}
	want := match{n: -1}
	s := latin(p)
	if found := theirs.FindStringSubmatchIndex(s); found != nil {
		want.n = utf8.RuneCountInString(s[:found[1]])
		if i := theirs.SubexpIndex("name"); i > 0 && found[2*i] >= 0 {
			want.lo, want.hi = utf8.RuneCountInString(s[:found[2*i]]), utf8.RuneCountInString(s[:found[2*i+1]])
		}
	}
	var m machine
	got := ours.match(p, &m)
	got.alive = false
	if got != want {
		t.Errorf("%q matching %q: got %+v, want %+v", text, p, got, want)
	}
}

func TestPatternsMatchWhatPackageRegexpMatches(t *testing.T) {
	texts := []string{`LOGIN:(?P<name>\w+)\r\n`, `(?P<name>a*?)b`, `(?P<name>(a|ab)(c|bcd))(d*)`, `(?i)imei:(?P<name>\d{3,5})`, `\bx(?P<name>\B.)`,
		`(?P<name>[^,]*),?$`, `(?s).(?P<name>.)`, `\xff\x00(?P<name>[\x80-\xff]+)`, `(?m)^a$`, `(?P<name>)`, `\Qa.b\E(?P<name>.)`, `a|`, `é(?P<name>\W)`}
	inputs := []string{"", "a", "ab", "abcd", "aab", "LOGIN:1001\r\n", "LOGIN:1001\r\nmore", "LOGIN:1", "IMEI:1234567", "imei:12", "xy", "x ", "a\nb",
		"\xff\x00\xfe\x80z", "\xff\x00", "a.bc", ",", "abc,def", "\xe9\xff"}
	for _, text := range texts {
		for _, input := range inputs {
			agree(t, text, []byte(input))
		}
	}
}

func TestAPatternKnowsWhetherMoreMayMatch(t *testing.T) {
	p := mustPattern(`(?P<name>[a-z]{2,4})(?:#|;;)`, true, false)
	var m machine
	for _, c := range []struct {
		input string
		want  match
	}{
		{"", match{n: -1, alive: true}},
		{"a", match{n: -1, alive: true}},
		{"abcd", match{n: -1, alive: true}},
		{"abcd;", match{n: -1, alive: true}},
		{"abcde", match{n: -1}},
		{"a#", match{n: -1}},
		{"ab#", match{n: 3, hi: 2}},
		{"abcd;;x", match{n: 6, hi: 4}},
	} {
		if got := p.match([]byte(c.input), &m); got != c.want {
			t.Errorf("%q: got %+v, want %+v", c.input, got, c.want)
		}
	}
	if !p.first['a'] || p.first['#'] || p.first[0xff] {
		t.Errorf("it may begin with a to z: got %v %v %v for a, # and ff", p.first['a'], p.first['#'], p.first[0xff])
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`LOGIN:(?P<name>\w+)\r\n`, []byte("LOGIN:1001\r\n"))
	f.Add(`(?i:k(?P<name>\b.*?\B)+$)|x{2,7}`, []byte("K\xff\x00a"))
	f.Fuzz(func(t *testing.T, text string, p []byte) {
		if len(text) < 200 && len(p) < 500 {
			agree(t, text, p)
		}
	})
}

func TestSumsAreThoseOfTheirVectors(t *testing.T) {
	// The catalogue's check value of each CRC is that of these nine bytes.
	p := []byte("123456789")
	for name, want := range map[string]uint32{"xor": 0x31, "sum8": 0xdd, "crc16-modbus": 0x4b37, "crc16-ibm": 0xbb3d, "crc16-x25": 0x906e,
		"crc16-ccitt": 0x29b1, "crc32": 0xcbf43926} {
		if got := sums[name].of(p); got != want {
			t.Errorf("%s of %q: got %#x, want %#x", name, p, got, want)
		}
	}
	var long [100]byte
	for i := range long {
		long[i] = byte(i * 37)
	}
	for n := range long { // eight bytes at a time are what one at a time are
		p := long[:n]
		ccitt, ibm, x25, x := uint16(0xffff), uint16(0), uint16(0xffff), byte(0)
		for _, c := range p {
			ccitt, ibm, x25, x = ccitt<<8^tableCCITT[0][byte(ccitt>>8)^c], ibm>>8^tableIBM[0][byte(ibm)^c], x25>>8^tableX25[0][byte(x25)^c], x^c
		}
		if crcCCITT(p) != ccitt || crcIBM(p) != ibm || crcX25(p) != ^x25 || xorSum(p) != x {
			t.Errorf("%d bytes: got %x %x %x %x, want %x %x %x %x", n, crcCCITT(p), crcIBM(p), crcX25(p), xorSum(p), ccitt, ibm, ^x25, x)
		}
	}
}
