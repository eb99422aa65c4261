package export_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/export"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/terminal"
)

// picture is what a screen of that size looks like behind some output, from its first row on.
func picture(cols, rows int, output string) string {
	t := terminal.New(cols, rows)
	t.Write([]byte("\x1b[?25l" + output))
	return string(export.AppendSVG(nil, t))
}

// drawn reads a picture as a strict reader of XML does: its texts, and the names of its elements and attributes.
func drawn(t *testing.T, svg string) (text string, names map[string]bool) {
	t.Helper()
	names = map[string]bool{}
	var out strings.Builder
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out.String(), names
		}
		if err != nil {
			t.Fatalf("%v in %s", err, svg)
		}
		switch v := token.(type) {
		case xml.CharData:
			out.Write(v)
		case xml.StartElement:
			names[v.Name.Local] = true
			for _, a := range v.Attr {
				names[v.Name.Local+" "+a.Name.Local] = true
			}
		}
	}
}

func TestAPictureHasTheLookOfEachCell(t *testing.T) {
	for output, want := range map[string]string{
		"plain":                       `<text x="0" y="12.8" textLength="42">plain</text>`,
		"a  b":                        "<text x=\"0\" y=\"12.8\" textLength=\"33.6\">a\u00a0\u00a0b</text>",
		"  x":                         `<g transform="translate(0 0)"><text x="16.8" y="12.8">x</text></g>`,
		"\x1b[31mr":                   `<text x="0" y="12.8" fill="#cc0000">r</text>`,
		"\x1b[1;31mr":                 `fill="#ef2929" font-weight="bold">r<`,
		"\x1b[38;5;196mr":             `fill="#ff0000">r<`,
		"\x1b[38;5;244mr":             `fill="#808080">r<`,
		"\x1b[38;2;1;2;255m":          `<g transform="translate(0 0)"></g>`,
		"\x1b[38;2;1;2;255mr\x1b[m s": `fill="#0102ff">r</text><text x="16.8" y="12.8">s<`,
		"\x1b[44mab":                  `<rect x="0" width="16.8" height="17" fill="#3465a4"/><text x="0" y="12.8" textLength="16.8">ab<`,
		"\x1b[7mi":                    `<rect x="0" width="8.4" height="17" fill="#d3d7cf"/><text x="0" y="12.8" fill="#16181a">i<`,
		"\x1b[2;3md":                  ` font-style="italic" opacity="0.5">d<`,
		"\x1b[8msecret":               `<g transform="translate(0 0)"></g>`,
		"\x1b[4;9;53mu":               ` text-decoration="underline overline line-through">u<`,
		"\x1b[4:3;58:5:1mu":           ` text-decoration="underline" style="text-decoration:underline wavy #cc0000">u<`,
		"\x1b[4m u":                   "text-decoration=\"underline\">\u00a0u<",
		"温x":                          `<text x="0" y="12.8" textLength="16.8">温</text><text x="16.8" y="12.8">x</text>`,
		"éé":                          `textLength="8.4">é</text><text x="8.4" y="12.8" textLength="8.4">é</text>`,
		"\x1b[?25h\x1b[1;9H":          `<g transform="translate(0 0)"><rect x="67.2" width="8.4" height="17" fill="#d3d7cf"/></g>`,
		"\x1b[?25h\x1b[7mi\x1b[1;9H":  `<rect x="0" width="8.4" height="17" fill="#d3d7cf"/><rect x="67.2" width="8.4" height="17" fill="#d3d7cf"/>`,
		"\x1b[?25hx":                  `<rect x="8.4" width="8.4" height="17" fill="#d3d7cf"/>`,
		"\x1b]2;a<b\x07":              "<title>a&lt;b</title>",
	} {
		if got := picture(20, 2, output); !strings.Contains(got, want) {
			t.Errorf("%q: got\n%s\nwant in it\n%s", output, got, want)
		}
	}
}

func TestAPictureOfHostileTextIsNothingButAPicture(t *testing.T) {
	svg := picture(80, 4, "</text><script>alert(1)</script>&amp;\"' ]]>\r\n\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07\u202eabc\ufffe\uffff\u0085"+
		"\x1b]2;</title><script>\x01\x07")
	text, names := drawn(t, svg)
	if !strings.Contains(text, "</text><script>alert(1)</script>&amp;\"'\u00a0]]>") {
		t.Errorf("the text is %q", text)
	}
	checkNames(t, names)
}

func checkNames(t *testing.T, names map[string]bool) {
	t.Helper()
	for name := range names {
		switch element, attribute, _ := strings.Cut(name, " "); {
		case !strings.Contains(" svg title style rect g text ", " "+element+" "), strings.HasPrefix(attribute, "on"), strings.Contains(attribute, "href"):
			t.Errorf("there is a %s", name)
		}
	}
}

// FuzzAPictureIsXML draws anything.
func FuzzAPictureIsXML(f *testing.F) {
	f.Add([]byte("plain \x1b[1;3;4:3;58:2::1:2:3;38;5;200;48;2;1;2;3mx\x1b[m 温é😀\u202e<&>\"\x00\ufffe"))
	f.Add([]byte("\x1b]2;</title>\x07\x1b#8\x1b[?25h\x1b[7m"))
	f.Fuzz(func(t *testing.T, data []byte) {
		term := terminal.New(20, 5)
		term.Write(data)
		_, names := drawn(t, string(export.AppendSVG(nil, term)))
		checkNames(t, names)
	})
}

func TestAnAnimatedPictureHasAFrameForWhatIsSeen(t *testing.T) {
	of := info
	of.Terminal = "20x2"
	events := story(session.Opened, of, session.Sent, "\x1b[?25lfir", session.Sent, "st", session.Sent, "\r\nsecond", session.Sent, "\r\x1b[K",
		session.Resized, "20x3", session.Sent, "\x1b[3;1H<b>", session.Closed, session.End{Cause: session.Done})
	for i, at := range []int64{0, 1000, 2000, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 6_000_000} {
		events[i].Time = start + at
	}
	svg := write(t, export.SVG, export.Both, events)
	text, names := drawn(t, svg)
	checkNames(t, names)
	for _, want := range []string{`>first<`, `>second<`, `>&lt;b&gt;<`,
		"\n.r0{transform:translateY(-17px)}\n",
		"\n.r1{animation:r1 8.000s step-end infinite}@keyframes r1{0.00000%{transform:translateY(-0px)}12.50000%{transform:translateY(-17px)}" +
			"25.00000%{transform:translateY(-0px)}}\n",
		"@keyframes r2{0.00000%{transform:translateY(-0px)}50.00000%{transform:translateY(-17px)}}"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q is not in\n%s", want, svg)
		}
	}
	if strings.Contains(text, "fir\n") {
		t.Errorf("a frame that nobody would see:\n%s", svg)
	}
}

func TestWhatIsTooLongForAnAnimatedPictureIsRefused(t *testing.T) {
	parts := []any{session.Opened, info}
	for i := range 6000 {
		parts = append(parts, session.Sent, fmt.Sprint("\r", i%10))
	}
	events := story(parts...)
	for i := range events {
		events[i].Time = start + int64(i)*100_000
	}
	var out bytes.Buffer
	closed := 0
	err := export.Write(&out, export.SVG, export.Sent, func() (export.Reader, error) {
		return &tape{events: events, batch: 100, closed: &closed}, nil
	})
	if !errors.Is(err, export.ErrFilm) || !strings.Contains(err.Error(), "8m20s") || out.Len() > 0 {
		t.Errorf("got %v, and %d bytes", err, out.Len())
	}
}
