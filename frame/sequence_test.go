package frame_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/frame"
)

// jt808Escaped is a message of a header and a body in the form of a delimiter and its escapes.
func jt808Escaped(delimiter string, content []byte, escapes ...string) []byte {
	whole := string(jt808(content))
	return []byte(delimiter + strings.NewReplacer(escapes...).Replace(whole[1:len(whole)-1]) + delimiter)
}

var (
	of7e = []string{"\x7e", "\x7d\x02", "\x7d", "\x7d\x01"}
	ofe7 = []string{"\xe7", "\xe6\x02", "\xe6", "\xe6\x01", "\x3d", "\x3e\x02", "\x3e", "\x3e\x01"}
)

func TestJT808IsReadInTheFormsOfAllItsVersions(t *testing.T) {
	phone := "013912345678"
	long := "00000000" + phone
	for _, c := range []struct {
		what, sent, delimiter string
		escapes               []string
		kind                  frame.Kind
		reply                 string
	}{
		{"a heartbeat", "0002 0000" + phone + "007e", "\x7e", of7e, beat, "8001 0005" + phone + "0000 007e 0002 00"},
		{"a heartbeat of 2019", "0002 4000 01" + long + "7d7e", "\x7e", of7e, beat, "8001 4005 01" + long + "0000 7d7e 0002 00"},
		{"a registration of 2019", "0100 4003 01" + long + "0001 3d3e7e", "\x7e", of7e, reg, "8100 400e 01" + long + "0000 0001 00" + text(phone[1:])},
		{"a heartbeat between e7 and e7", "0002 0000" + phone + "e73d", "\xe7", ofe7, beat, "8001 0005" + phone + "0000 e73d 0002 00"},
		{"a place between e7 and e7", "0200 0006" + phone + "3ee6 7d7ee7e63d3e", "\xe7", ofe7, dat, "8001 0005" + phone + "0000 3ee6 0200 00"},
		{"a part of something", "0801 2002" + phone + "0007 0002 0001 aabb", "\x7e", of7e, dat, "8001 0005" + phone + "0000 0007 0801 00"},
	} {
		wire := jt808Escaped(c.delimiter, unhex(t, c.sent), c.escapes...)
		got := however(t, dialect(t, "jt808"), wire)
		want := string(jt808Escaped(c.delimiter, unhex(t, c.reply), c.escapes...))
		if len(got) != 1 || got[0].name != phone[1:] || got[0].kind != c.kind || got[0].flags != 0 || got[0].reply != want || !strings.HasPrefix(got[0].data, string(unhex(t, c.sent))) {
			t.Errorf("%s, %x:\ngot  %v\nwant the name %s and the reply %q", c.what, wire, got, phone[1:], want)
		}
	}
}

func TestARegistrationKnowsHowItIsRefused(t *testing.T) {
	phone := "013912345678"
	for _, c := range []struct {
		preset string
		sent   []byte
		want   []byte
	}{
		{"teltonika", unhex(t, "000F313233343536373839303132333435"), []byte{0}},
		{"jt808", jt808Escaped("\x7e", unhex(t, "0100 0003"+phone+"0001 3d3e7e"), of7e...), jt808Escaped("\x7e", unhex(t, "8100 0003"+phone+"0000 0001 04"), of7e...)},
		{"jt808", jt808Escaped("\x7e", unhex(t, "0102 0003"+phone+"0001 3d3e7e"), of7e...), jt808Escaped("\x7e", unhex(t, "8001 0005"+phone+"0000 0001 0102 01"), of7e...)},
		{"jt808", jt808Escaped("\x7e", unhex(t, "0002 0000"+phone+"0001"), of7e...), nil},
		{"gt06", unhex(t, "78780D01012345678901234500018CDD0D0A"), nil},
	} {
		r := dialect(t, c.preset).Reader(false)
		err := r.Feed(c.sent, noon, func(m *frame.Message) error {
			if !bytes.Equal(m.Refusal, c.want) || m.Reply == nil {
				t.Errorf("%s, %x: got refusal %x beside reply %x, want %x", c.preset, c.sent, m.Refusal, m.Reply, c.want)
			}
			return nil
		})
		if err != nil || r.Position().Offset == 0 {
			t.Errorf("%s, %x: got error %v and no message", c.preset, c.sent, err)
		}
	}
}

func TestAMessageWhoseHeaderLiesSaysSo(t *testing.T) {
	for _, sent := range []string{"0002 0005 013912345678 0001", "0002 4000 01 013912345678 0001", "0002 2000 013912345678 0001"} {
		got := feed(t, dialect(t, "jt808").Reader(false), jt808Escaped("\x7e", unhex(t, sent), of7e...))
		if len(got) != 1 || got[0].flags != frame.BadLength {
			t.Errorf("%s: got %v, want one message that is flagged bad length", sent, got)
		}
	}
}

func TestAnAnswerIsLinkedToItsCommand(t *testing.T) {
	phone := "013912345678"
	all := dialect(t, "gt06", "jt808", "modbus-tcp", "raw")
	for _, c := range []struct {
		what    string
		preset  string
		command []byte
		answer  []byte
		want    string // hexadecimal
	}{
		{"a general answer", "jt808", jt808Escaped("\x7e", unhex(t, "8103 0001"+phone+"7e01 00"), of7e...),
			jt808Escaped("\x7e", unhex(t, "0001 0005"+phone+"0009 7e01 8103 00"), of7e...), "7e01"},
		{"an answer with parameters", "jt808", jt808Escaped("\x7e", unhex(t, "8104 4000 01 00000000"+phone+"0102"), of7e...),
			jt808Escaped("\x7e", unhex(t, "0104 4003 01 00000000"+phone+"0009 0102 00"), of7e...), "0102"},
		{"an answer in text", "gt06", gt06(append(unhex(t, "80 0c 0001a967"), "RELAY,1#\x00\x01"...)), gt06(append(unhex(t, "15 0c 0001a967"), "RELAY OK\x00\x02\x00\x01"...)), "0001a967"},
		{"a transaction", "modbus-tcp", unhex(t, "00070000000601030000000a"), unhex(t, "0007000000050103020014"), "0007"},
	} {
		for _, d := range []*frame.Dialect{dialect(t, c.preset), all} {
			if got := d.Sequence(c.command); !bytes.Equal(got, unhex(t, c.want)) {
				t.Errorf("%s: the command %x has the sequence %x, want %s", c.what, c.command, got, c.want)
			}
		}
		got := feed(t, dialect(t, c.preset).Reader(false), c.answer)
		if len(got) != 1 || got[0].ack != string(unhex(t, c.want)) || got[0].flags != 0 || c.preset != "modbus-tcp" && got[0].reply != "" {
			t.Errorf("%s: the answer is %v, want ack %s and no reply", c.what, got, c.want)
		}
	}
	extended := unhex(t, "7979 0010 21 0001a967 01 4f4b2c313233 0005 0000 0d0a")
	c := ^bitwise(0x8408, 0xffff, extended[2:len(extended)-4])
	extended[len(extended)-4], extended[len(extended)-3] = byte(c>>8), byte(c)
	if got := feed(t, dialect(t, "gt06").Reader(false), extended); len(got) != 1 || got[0].ack != "\x00\x01\xa9\x67" {
		t.Errorf("%x: got %v, want one message with the ack 0001a967", extended, got)
	}
	for _, command := range []string{"", "x", "7878", "7e7e", "7e00007e", "787801020d0a", "0000000000"} {
		if got := all.Sequence(unhex(t, strings.ReplaceAll(command, "x", "78"))); got != nil {
			t.Errorf("%q is no command: got sequence %x", command, got)
		}
	}
	if got := dialect(t, "teltonika").Sequence(unhex(t, "000000000000000f0c010500000007676574696e666f0100004312")); got != nil {
		t.Errorf("teltonika has no sequences: got %x", got)
	}
}
