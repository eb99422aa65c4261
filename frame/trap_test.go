package frame_test

import (
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/frame"
)

func TestAnIMEIThatIsGluedToTheNextMessageIsAHeartbeat(t *testing.T) {
	stream := "359769031878322imei:359769031878322,tracker,2611221234,,F,123456.000,A,2234.0297,N,11405.9101,E,0.00,;"
	got := however(t, dialect(t, "gps103"), []byte(stream))
	if want := `"359769031878322"/beat,359769031878322→ON "` + strings.TrimSuffix(stream[15:], ";") + `"/data,359769031878322`; short(got) != want {
		t.Errorf("got %s\nwant %s", short(got), want)
	}
}

func TestHowLongBinaryMessagesOfH02AreIsASettingAndNoGuess(t *testing.T) {
	small := string(unhex(t, "2441060116601245431311165035313006004318210e000000fffffbffff0024"))
	large := string(unhex(t, "24410600082621532131081504419390060740418306000000fffffbfdff0015060000002c02dc0c000000001f"))
	words := "*HQ,4106011660,V2#"
	for _, c := range []struct {
		size    int
		stream  string
		lengths []int
	}{
		{0, small + small + words + small, []int{32, 32, len(words), 32}},
		{32, small + words, []int{32, len(words)}},
		{45, large + words + large + large, []int{45, len(words), 45, 45}},
	} {
		d := compile(t, frame.Spec{Framers: frame.FramerSpecs{{Preset: "h02", Size: c.size}}})
		got := however(t, d, []byte(c.stream))
		if len(got) != len(c.lengths) {
			t.Fatalf("size %d: got %s", c.size, short(got))
		}
		for i, m := range got {
			if len(m.data) != c.lengths[i] || m.kind != frame.Data || m.flags != 0 {
				t.Errorf("size %d, message %d: got %v, want %d bytes", c.size, i, m, c.lengths[i])
			}
		}
	}
}

func TestWhatIsNoBeginningIsJunkUpToOne(t *testing.T) {
	beat := string(unhex(t, "0002000004304832546500b7ca"))
	for _, c := range []struct{ stream, want string }{
		{"$$~" + beat + "~", `"$$"/junk B`},
		{"~~" + beat + "~", `"~"/junk B`},                           // the end of a message that was missed
		{"~" + beat + "~" + beat + "~", `B B`},                      // a delimiter for two
		{"~" + beat + "~~~~" + beat + "~", `B "~"/junk "~"/junk B`}, // delimiters for silence
		{"~" + beat + "~\r\n~" + beat + "~", `B "\r\n"/junk B`},
	} {
		messages := however(t, dialect(t, "jt808"), []byte(c.stream))
		var parts []string
		for _, m := range messages {
			if m.data == beat && m.kind == frame.Heartbeat && m.flags == 0 && m.reply != "" {
				parts = append(parts, "B")
			} else {
				parts = append(parts, short([]got{m}))
			}
		}
		if s := strings.Join(parts, " "); s != c.want {
			t.Errorf("%q: got %s, want %s", c.stream, s, c.want)
		}
	}
}

func TestALengthCountsMoreThanADelimiterInWhatItCounts(t *testing.T) {
	within := string(gt06([]byte("\x12ab\r\ncd\r\n\x00\x01")))
	lies := "\x78\x78\x0d\x01ab\r\n"
	got := however(t, dialect(t, "gt06"), []byte(within+lies+within+"\x79\x79\x00\x05x"+within))
	if len(got) != 5 || got[0].data != within || got[0].flags != 0 || got[1].data != lies || got[1].flags != frame.BadLength || got[2].data != within ||
		got[3].data != "\x79\x79\x00\x05x" || got[3].flags != frame.BadLength || got[4].data != within {
		t.Errorf("got %s", short(got))
	}
}

func TestOfTwoDelimitersAtOnePlaceTheFirstListedCounts(t *testing.T) {
	d := compile(t, frame.Spec{Framers: frame.FramerSpecs{{Type: "delimiters", Delimiters: []string{`##\r\n`, "##", `;\0`, ";"}}}})
	if got, want := short(however(t, d, []byte("a##\r\nb##c##\rd;\x00e;f##"))), `"a" "b" "c" "\rd" "e" "f"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAMalformedMessageEndsNothing(t *testing.T) {
	// Each message, and then it again with a byte broken, and then forty good ones: they come through.
	for _, v := range vectors {
		var wire []string
		for _, e := range v.messages {
			if e.kind != frame.Junk && e.flags == 0 {
				wire = append(wire, string(unhex(t, e.wire)))
			}
		}
		d := dialect(t, v.preset)
		for _, good := range wire {
			if len(good) == 1 || v.preset == "gps103" && good[0] != '#' && good[0] != 'i' {
				continue // a ping, or an IMEI: between such there is nothing by which to find the next
			}
			for i := range good {
				broken := []byte(good)
				broken[i] ^= 0x5a
				stream := good + string(broken) + strings.Repeat(good, 40)
				got := feed(t, d.Reader(false), []byte(stream))
				sound := 0
				for _, m := range got {
					if stream[m.start:m.end] == good && m.flags == 0 {
						sound++
					}
				}
				least := 39
				if v.preset == "modbus-tcp" || v.preset == "tpkt" || v.preset == "h02" {
					least = 20 // they have no check: a length that may be right is believed
				}
				if sound < least {
					t.Errorf("%s: %.60q with byte %d broken: got %d sound messages, want %d at least", v.preset, good, i, sound, least)
				}
			}
		}
	}
}
