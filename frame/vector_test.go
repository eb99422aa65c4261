package frame_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/switchboard-relay/switchboard/frame"
)

// expected is a message of a vector, in short.
type expected struct {
	wire  string // hexadecimal
	kind  frame.Kind
	flags frame.Flags
	name  string
	reply string // hexadecimal
	ack   string // hexadecimal
	data  string // hexadecimal, where it is not what is on the wire
}

// text is hexadecimal of text.
func text(s string) string { return fmt.Sprintf("%x", s) }

const (
	dat  = frame.Data
	reg  = frame.Registration
	beat = frame.Heartbeat
	junk = frame.Junk
)

// vectors are what devices send, with what their protocols answer.
var vectors = []struct {
	what, preset string
	messages     []expected
}{
	{"a login, a status, a heartbeat and an extended message", "gt06", []expected{
		{wire: "78780D01086471700328358100093F040D0A", kind: reg, name: "864717003283581", reply: "78780501000955940d0a"},
		{wire: "78780D01012345678901234500018CDD0D0A", kind: reg, name: "123456789012345", reply: "787805010001d9dc0d0a"},
		{wire: "78780a13440604000201baaf540d0a", kind: beat, reply: "7878051301bafb710d0a"},
		{wire: "78780B23C00122040001000818720D0A", kind: beat, reply: "787805230008" + "f29e" + "0d0a"},
		{wire: "7979000e941e000000d5000002ee00f59b850d0a"},
	}},
	{"a login whose length says 13 and is less, and one with length 0", "gt06", []expected{
		{wire: "78780d0103563140414198583c0d0a", flags: frame.BadLength, kind: reg, name: "356314041419858"},
		{wire: "78780a13440604000201baaf540d0a", kind: beat, reply: "7878051301bafb710d0a"},
		{wire: "7878006917090d0a", flags: frame.BadLength},
		{wire: "78780a13440604000201baaf540d0a", kind: beat, reply: "7878051301bafb710d0a"},
	}},
	{"a message that breaks off before a good one", "gt06", []expected{
		{wire: "78781f12334455", flags: frame.BadLength},
		{wire: "78780a13440604000201baaf540d0a", kind: beat, reply: "7878051301bafb710d0a"},
	}},
	{"a wrong check sum, junk, and a good message", "gt06", []expected{
		{wire: "78780a13440604000201baaf550d0a", kind: beat, flags: frame.BadCheck},
		{wire: "00ff78000d0a", kind: junk},
		{wire: "78780a13440604000201baaf540d0a", kind: beat, reply: "7878051301bafb710d0a"},
	}},
	{"a registration, an authentication and a heartbeat", "jt808", []expected{
		{wire: "7e010000190940278494700012000000000000000000000000000000000000094027849470000a7e", kind: reg, name: "94027849470",
			data:  "010000190940278494700012000000000000000000000000000000000000094027849470000a",
			reply: "-", ack: ""},
		{wire: "7e010200204f07788ef67601824f4459344f544d314d4459774d4441314d444977626d5633553235536457786cba7e", kind: reg, name: "4f07788ef676",
			data:  "010200204f07788ef67601824f4459344f544d314d4459774d4441314d444977626d5633553235536457786cba",
			reply: "-"},
		{wire: "7e0002000004304832546500b7ca7e", kind: beat, name: "43048325465", data: "0002000004304832546500b7ca", reply: "-"},
	}},
	{"an authentication, answered as the first", "jt808", []expected{
		{wire: "7e010200204f07788ef67601824f4459344f544d314d4459774d4441314d444977626d5633553235536457786cba7e", kind: reg, name: "4f07788ef676",
			data:  "010200204f07788ef67601824f4459344f544d314d4459774d4441314d444977626d5633553235536457786cba",
			reply: "7e800100054f07788ef676000001820102003a7e"},
	}},
	{"a heartbeat, answered as the first", "jt808", []expected{
		{wire: "7e0002000004304832546500b7ca7e", kind: beat, name: "43048325465", data: "0002000004304832546500b7ca",
			reply: "7e80010005043048325465000000b70002004e7e"},
	}},
	{"escapes, and junk before the message", "jt808", []expected{
		{wire: "2424", kind: junk},
		{wire: "7e307d02087d01557e", data: "307e087d55", flags: frame.BadCheck},
		{wire: "7e0002000004304832546500b7ca7e", kind: beat, name: "43048325465", data: "0002000004304832546500b7ca",
			reply: "7e80010005043048325465000000b70002004e7e"},
	}},
	{"a delimiter whose beginning is lost, and one that two messages share", "jt808", []expected{
		{wire: "7e", kind: junk},
		{wire: "7e0002000004304832546500b7ca7e", kind: beat, name: "43048325465", data: "0002000004304832546500b7ca",
			reply: "7e80010005043048325465000000b70002004e7e"},
		{wire: "0002000004304832546500b7ca7e", kind: beat, name: "43048325465", data: "0002000004304832546500b7ca", reply: "-"},
	}},
	{"binary and text in one piece", "h02", []expected{
		{wire: "2441060116601245431311165035313006004318210e000000fffffbffff0024", name: "4106011660"},
		{wire: "2a48512c343130363031313636302c56312c3132343535322c412c353033352e333132392c4e2c30303433312e383231312c452c3030302e32302c3030302c3133313131362c464646464642464623",
			name: "4106011660", reply: text("*HQ,4106011660,V4,V1,20261122123456#")},
		{wire: "0d0a" + text("*HQ,135790246811220,HTBT#"), data: text("*HQ,135790246811220,HTBT#"), kind: beat, name: "135790246811220"},
		{wire: text("*HQ,135790246811220,HTBT,100#"), kind: beat, name: "135790246811220"},
		{wire: "5800009814991024031101175540227006012321670c000095fffffbffff0033", name: "0000981499"},
		{wire: text("*HQ,4206119130,NBR,102403,238,1,0,7,1111,2264,63,281107,FFFFFBFF,6#"), name: "4206119130", reply: text("*HQ,4206119130,V4,NBR,20261122123456#")},
	}},
	{"heartbeats and a login", "tk103", []expected{
		{wire: text("(087073005534BP00HSO)"), kind: beat, name: "087073005534", reply: text("(087073005534AP01HSO)")},
		{wire: text("(027044702512BP00027044702512HSO01A4)"), kind: beat, name: "027044702512", reply: text("(027044702512AP01HSO)")},
		{wire: text("(013632782450,BP05,101201,A,2234.0297N,11405.9101E,000.0,040137,178.48,00000000,L00000000)"), kind: reg, name: "013632782450", reply: text("(013632782450AP05)")},
		{wire: text("(0440"), flags: frame.Cut},
		{wire: text("(044027395704BQ81,ALARM,1,164,151101A2238.5237N11349.4571E0.7031241010.0000,00000000)"), name: "044027395704"},
		{wire: text("\r\nnoise"), kind: junk},
		{wire: text("(087073005534BR00000007V)"), name: "087073005534"},
	}},
	{"a login, an IMEI that is glued to the next message, and data", "gps103", []expected{
		{wire: "23232c696d65693a3031323439373030303330343232342c413b", data: "23232c696d65693a3031323439373030303330343232342c41", kind: reg, name: "012497000304224", reply: text("LOAD")},
		{wire: text("359769031878322"), kind: beat, name: "359769031878322", reply: text("ON")},
		{wire: text("imei:359769031878322,tracker,1,0,F;"), data: text("imei:359769031878322,tracker,1,0,F"), name: "359769031878322"},
		{wire: text("\r\n359769031878322"), data: text("359769031878322"), kind: beat, name: "359769031878322", reply: text("ON")},
		{wire: text(";imei:359769031878322,help me\r"), data: text("imei:359769031878322,help me"), name: "359769031878322"},
	}},
	{"an IMEI, a ping that is glued to another, and answers to commands", "teltonika", []expected{
		{wire: "000F313233343536373839303132333435", kind: reg, name: "123456789012345", reply: "01"},
		{wire: "FF", kind: beat},
		{wire: "000F313233343536373839303132333435", kind: reg, name: "123456789012345", reply: "01"},
		{wire: "00000000000000240d01060000001c642b3ad14754534c7c367c317c307c31323734393838347c317c0d0a010000ec11"},
		{wire: "000000000000001b0f010b00000013654b65a4012345678912345648656c6c6f210a01000093d6"},
		{wire: "FF", kind: beat},
	}},
	{"records of codecs 8, 8 extended and 16, and a wrong check sum", "teltonika", []expected{
		{wire: "000000000000003508010000014f8e016420002141bbaf0f4e96a7fffa0000120000000602010047030242669c92000002c7000000009100000000000100002df3", reply: "00000001"},
		{wire: "00000000000000858e0200000174431aadc100061d888f21000e8a0032002e0c000001810001000000000000000000010181001711210102030405060708090a0b0c0d0e0f10020b010ad000000174431a389100061d888f21000e8a0033002e0d000001810001000000000000000000010181001711210102030405060708090a0b0c0d0e0f10020b010ad2020000492b", reply: "00000002"},
		{wire: "000000000000003508010000014f8e016420002141bbaf0f4e96a7fffa0000120000000602010047030242669c92000002c7000000009100000000000100002df4", flags: frame.BadCheck},
		{wire: "000000000000009F100100000164D855401800D5E3B744EC11C762023B011A060000000007200A010000010500010600010D00010E00010F00011600011700011800011F001301010000010700000108000001090000010A0000010B0000010C000001100000011100000112000001130000011400000115000001190000011A0000011B0000011C0000011D0000011E000003010200000000010300000000010400000000000100000D3B", reply: "00000001"},
		{wire: "00000000000000100C010600000008010300010015D5C5010000D988"},
	}},
	{"data that says to have no bytes, and a length that lies", "teltonika", []expected{
		{wire: "0000000000000000080100000113fc208d", kind: junk},
		{wire: "000F313233343536373839303132333435", kind: reg, name: "123456789012345", reply: "01"},
		{wire: "00000000000000600801000001", flags: frame.BadCheck | frame.BadLength},
		{wire: "000000000000003508010000014f8e016420002141bbaf0f4e96a7fffa0000120000000602010047030242669c92000002c7000000009100000000000100002df3", reply: "00000001"},
		{wire: "000F313233343536373839303132333435", kind: reg, name: "123456789012345", reply: "01"},
		{wire: "000F313233343536373839303132333435", kind: reg, name: "123456789012345", reply: "01"},
	}},
	{"requests, responses, and what is none", "modbus-tcp", []expected{
		{wire: "000100000006010300000001", ack: "0001"},
		{wire: "0001000000050103020014", ack: "0001"},
		{wire: text("GET / HTTP/1.1\r\n\r\n"), kind: junk},
		{wire: "ab0200000003018302", ack: "ab02"},
	}},
	{"a request, a response, an exception, and a message that was damaged", "modbus-rtu", []expected{
		{wire: "01030000000ac5cd"},
		{wire: "010304000a0014da3e"},
		{wire: "018302c0f1"},
		{wire: "010304000a0014da3f", flags: frame.BadCheck},
		{wire: "010304000a0014da3e"},
	}},
	{"a connect, and what is none", "tpkt", []expected{
		{wire: "0300001611e00000000100c0010ac1020100c2020102"},
		{wire: "00ff03", kind: junk},
		{wire: "0300000702f080"},
	}},
}

func TestPresetsCutTheVectorsHoweverTheyCome(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.preset+": "+v.what, func(t *testing.T) {
			var stream []byte
			var want []got
			for _, e := range v.messages {
				wire := unhex(t, e.wire)
				g := got{kind: e.kind, flags: e.flags, name: e.name, reply: string(wire), start: int64(len(stream)), data: string(wire)}
				if e.data != "" {
					g.data = string(unhex(t, e.data))
				}
				g.reply = e.reply
				if e.reply != "-" {
					g.reply = string(unhex(t, e.reply))
				}
				g.ack = string(unhex(t, e.ack))
				stream = append(stream, wire...)
				g.end = int64(len(stream))
				want = append(want, g)
			}
			messages := however(t, dialect(t, v.preset), stream)
			for i := range messages {
				if i < len(want) && want[i].reply == "-" {
					want[i].reply = messages[i].reply
				}
			}
			same(t, "whole", messages, want)
			quiet := false
			silent := compile(t, frame.Spec{Framers: frame.FramerSpecs{{Preset: v.preset, Reply: &quiet}}})
			for _, m := range feed(t, silent.Reader(false), stream) {
				if m.reply != "" {
					t.Errorf("reply: false: got %v", m)
				}
			}
		})
	}
}

func TestVectorsAreFoundByTheirFirstBytes(t *testing.T) {
	d := dialect(t, "gt06", "jt808", "h02", "tk103", "teltonika", "tpkt", "modbus-tcp", "etung", "gps103")
	for _, v := range vectors {
		if v.preset == "modbus-rtu" || v.messages[0].kind == junk {
			continue
		}
		stream := bytes.Join(func() (all [][]byte) {
			for _, e := range v.messages {
				all = append(all, unhex(t, e.wire))
			}
			return all
		}(), nil)
		want := feed(t, dialect(t, v.preset).Reader(false), stream)
		same(t, v.preset, however(t, d, stream), want)
		r := d.Reader(false)
		if err := r.Feed(stream, noon, func(*frame.Message) error { return nil }); err != nil || r.Framer() != v.preset {
			t.Errorf("%s: got framer %q and error %v", v.preset, r.Framer(), err)
		}
	}
}
