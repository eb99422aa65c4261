package simulate

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFramesAreThoseOfRealDevices(t *testing.T) {
	v := func(name string, serial uint16) *voice { return &voice{name: name, serial: serial} }
	for _, c := range []struct {
		what, want string
		got        []byte
	}{
		{"gt06 login", "78780D01086471700328358100093F040D0A", gt06{}.register(nil, v("864717003283581", 8))},
		{"gt06 login", "78780D01012345678901234500018CDD0D0A", gt06{}.register(nil, v("123456789012345", 0))},
		{"gt06 heartbeat", "78780a13440604000201baaf540d0a", gt06{}.heartbeat(nil, v("123456789012345", 0x01b9))},
		{"gt06 extended", "7979000e941e000000d5000002ee00f59b850d0a", gt06Long(0x94, fromHex(t, "1e000000d5000002ee"), 0xf5)},
		{"jt808 heartbeat", "7e0002000004304832546500b7ca7e", jt808{}.heartbeat(nil, v("043048325465", 0xb7))},
		{"teltonika IMEI", "000F313233343536373839303132333435", teltonika{}.register(nil, v("123456789012345", 0))},
		{"gps103 login", "23232c696d65693a3031323439373030303330343232342c413b", gps103{}.register(nil, v("012497000304224", 0))},
		{"tk103 heartbeat", hex.EncodeToString([]byte("(087073005534BP00HSO)")), tk103{}.heartbeat(nil, v("087073005534", 0))},
		{"h02 heartbeat", hex.EncodeToString([]byte("*HQ,135790246811220,HTBT,100#")), h02{}.heartbeat(nil, v("135790246811220", 0))},
		{"etung", hex.EncodeToString([]byte("ETUNG:860000000000000\n")), etung{}.register(nil, v("860000000000000", 0))},
	} {
		if got := hex.EncodeToString(c.got); got != strings.ToLower(c.want) {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
	}
}

// gt06Long is gt06FrameOf with a length of two bytes.
func gt06Long(what byte, body []byte, serial uint16) []byte {
	b := append([]byte{0x79, 0x79, 0, byte(5 + len(body)), what}, body...)
	b = binary.BigEndian.AppendUint16(b, serial)
	b = binary.BigEndian.AppendUint16(b, crcX25(b[2:]))
	return append(b, '\r', '\n')
}

func TestMessagesHaveTheirSizeTheirMarkAndTheirCheck(t *testing.T) {
	at := time.UnixMicro(1_700_000_000_123_456)
	for name, k := range kinds {
		for _, size := range []int{0, 64, 150, 300, 1000} {
			device, err := namer(k, "", 7, 3)
			if err != nil {
				t.Fatal(err)
			}
			v := &voice{name: device(2), serial: 0x7e7d}
			p := k.message(nil, v, 1_234_567, at, size)
			m, ok := Parse(p)
			if !ok || string(m.Name) != v.name || m.Number != 1_234_567 || !m.At.Equal(at) {
				t.Errorf("%s: got %q %d %v of %q; want %s 1234567 %v", name, m.Name, m.Number, m.At, p, v.name, at)
			}
			if len(p) < size || size >= 150 && len(p) > size+4 {
				t.Errorf("%s: got %d bytes, want %d", name, len(p), size)
			}
			switch name {
			case "gt06":
				body := p[2 : len(p)-4]
				if got, want := binary.BigEndian.Uint16(p[len(p)-4:]), crcX25(body); got != want {
					t.Errorf("gt06, %d bytes: CRC %04x, want %04x", size, got, want)
				}
				length := int(p[2]) + 5
				if p[0] == 0x79 {
					length = int(binary.BigEndian.Uint16(p[2:])) + 6
				}
				if length != len(p) {
					t.Errorf("gt06: the length field says %d of %d bytes", length, len(p))
				}
			case "jt808":
				body := bytes.ReplaceAll(p[1:len(p)-1], []byte{0x7d, 2}, []byte{0x7e})
				body = bytes.ReplaceAll(body, []byte{0x7d, 1}, []byte{0x7d})
				var sum byte
				for _, c := range body {
					sum ^= c
				}
				if n := int(binary.BigEndian.Uint16(body[2:]) & 0x3ff); sum != 0 || n != len(body)-13 || bytes.IndexByte(p[1:len(p)-1], 0x7e) >= 0 {
					t.Errorf("jt808, %d bytes: XOR %02x, want 0; a body of %d bytes, want %d", size, sum, n, len(body)-13)
				}
			case "teltonika":
				n := int(binary.BigEndian.Uint32(p[4:]))
				if n+12 != len(p) || binary.BigEndian.Uint32(p[len(p)-4:]) != uint32(crcIBM(p[8:8+n])) {
					t.Errorf("teltonika: a length of %d in %d bytes, or a wrong CRC", n, len(p))
				}
			}
		}
	}
}

func TestWhatAServerSaysIsUnderstoodWhereverItIsCut(t *testing.T) {
	for _, c := range []struct {
		protocol, name, says string
		awaits               bool
		want                 []heard
		answer               string
	}{
		{"gt06", "864717003283581", "78780501000955940d0a", true, []heard{accepted}, ""},
		{"gt06", "123456789012345", "787805010001d9dc0d0a78780513" + "01ba" + crcHex("051301ba") + "0d0a", true, []heard{accepted, reply}, ""},
		{"jt808", "043048325465", "7e80010005043048325465000000b70002004e7e", false, []heard{reply}, ""},
		{"jt808", "204f07788ef6", "7e800100054f07788ef676000001820102003a7e", true, []heard{accepted}, ""},
		{"teltonika", "123456789012345", "0100000003", true, []heard{accepted, reply}, ""},
		{"teltonika", "123456789012345", hex.EncodeToString(teltonikaFrame(nil, []byte("\x0c\x01\x05\x00\x00\x00\x04ping\x01"))), false, []heard{aCommand},
			hex.EncodeToString(teltonikaFrame(nil, []byte("\x0c\x01\x06\x00\x00\x00\x04ping\x01")))},
		{"gps103", "359769031878322", hex.EncodeToString([]byte("LOADON")), true, []heard{accepted, reply}, ""},
		{"tk103", "087073005534", hex.EncodeToString([]byte("(087073005534AP05)(087073005534AP01HSO)")), true, []heard{accepted, reply}, ""},
		{"h02", "135790246811220", hex.EncodeToString([]byte("*HQ,135790246811220,R12,120000#")), false, []heard{reply}, ""},
	} {
		says := fromHex(t, c.says)
		for at := range says {
			v := &voice{name: c.name, awaits: c.awaits, answers: true}
			var got []heard
			var answer, held []byte
			for _, part := range [][]byte{says[:at], says[at:]} {
				held = append(held, part...)
				for len(held) > 0 {
					var used int
					var h heard
					used, h, answer = kinds[c.protocol].take(answer, v, held)
					if used == 0 {
						break
					}
					if h != noise {
						got = append(got, h)
					}
					if h == accepted {
						v.awaits = false
					}
					held = held[used:]
				}
			}
			if string(heardBytes(got)) != string(heardBytes(c.want)) || hex.EncodeToString(answer) != c.answer {
				t.Errorf("%s, %q cut at %d: got %v and the answer %x, want %v and %s", c.protocol, says, at, got, answer, c.want, c.answer)
			}
		}
	}
}

func heardBytes(list []heard) (b []byte) {
	for _, h := range list {
		b = append(b, byte(h))
	}
	return b
}

// crcHex is CRC-16/X25 of hexadecimal bytes, as such.
func crcHex(s string) string {
	b, _ := hex.DecodeString(s)
	return hex.EncodeToString(binary.BigEndian.AppendUint16(nil, crcX25(b)))
}

func TestACodec12PacketOfARealServerHasOurCheck(t *testing.T) {
	p := fromHex(t, "00000000000000240d01060000001c642b3ad14754534c7c367c317c307c31323734393838347c317c0d0a010000ec11")
	if got := teltonikaFrame(nil, p[8:len(p)-4]); !bytes.Equal(got, p) {
		t.Errorf("got %x, want %x", got, p)
	}
}

func FuzzTake(f *testing.F) {
	f.Add([]byte("\x78\x78\x05\x01\x00\x09\x55\x94\x0d\x0a"))
	f.Add([]byte("\x7e\x80\x01\x7d\x7e\x7e\x7e"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x01\x0c\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, p []byte) {
		for name, k := range kinds {
			v := &voice{name: "123456789012", answers: true, reply: "OK", awaits: true}
			for in := p; len(in) > 0; {
				used, _, _ := k.take(nil, v, in)
				if used < 0 || used > len(in) {
					t.Fatalf("%s: used %d of %d bytes of %q", name, used, len(in), in)
				}
				if used == 0 {
					break
				}
				in = in[used:]
				v.awaits = false
			}
		}
	})
}
