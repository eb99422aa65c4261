package frame_test

import (
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/frame"
)

func pieces(texts ...string) (all [][]byte) {
	for _, s := range texts {
		all = append(all, []byte(s))
	}
	return all
}

func TestNamesAreFoundInWhatComesRaw(t *testing.T) {
	login := frame.RegisterSpec{Pattern: `LOGIN:(?P<name>\w+)[\r\n]+`, Reply: `OK {name}\r\n`}
	prefix, both := login, login
	prefix.When, both.When = "prefix", "both"
	open := frame.RegisterSpec{Pattern: `LOGIN:(?P<name>\w+)`}
	bytes := frame.RegisterSpec{Pattern: `\xaa(?P<name>[\x00-\xff]{3})\x55`}
	little := frame.RegisterSpec{Pattern: `(?P<name>a+);`, Max: 5}
	for _, c := range []struct {
		register frame.RegisterSpec
		pieces   []string
		want     string
	}{
		{login, []string{"LOGIN:1001\r\n", "data"}, `"LOGIN:1001\r\n"/reg,1001→OK 1001` + "\r\n" + ` "data"`},
		{login, []string{"LO", "GIN:10", "01\r", "\ndata"}, `"LOGIN:1001\r"/reg,1001→OK 1001` + "\r\n" + ` "\ndata"`},
		{login, []string{"LOGIN:1001\r\ndata", "LOGIN:1002\n"}, `"LOGIN:1001\r\n"/reg,1001→OK 1001` + "\r\n" + ` "data" "LOGIN:1002\n"`},
		{login, []string{"data", "LOX", "LOGIN:1\n", "more"}, `"data" "LOX" "LOGIN:1\n"/reg,1→OK 1` + "\r\n" + ` "more"`},
		{login, []string{"LOG", "IC", "LOGIN"}, `"LOGIC" "LOGIN"`},
		{open, []string{"LOGIN:1001", "data"}, `"LOGIN:1001"/reg,1001 "data"`},
		{open, []string{"LOGIN:", "1001 data"}, `"LOGIN:1001"/reg,1001 " data"`},
		{prefix, []string{"LOGIN:1\nab", "LOGIN:1\ncd", "ef", "LOGIN:2\n", "LOG", "IN:2\ngh"},
			`"ab"/data,1→OK 1` + "\r\n" + ` "cd"/data,1 "ef" ""/reg,2→OK 2` + "\r\n" + ` "gh"/data,2`},
		{both, []string{"LOGIN:1\nab", "LOGIN:1\ncd", "ef"}, `"LOGIN:1\n"/reg,1→OK 1` + "\r\n" + ` "ab" "cd"/data,1 "ef"`},
		{bytes, []string{"\xaa\xff", "\x00\x55", "\x55\xaa"}, "\"\\xaa\\xff\\x00UU\"/reg,\xff\x00\x55 \"\\xaa\""},
		{little, []string{"aaaa;", "x"}, `"aaaa;"/reg,aaaa "x"`},
		{little, []string{"aaa", "aa;", "a;"}, `"aaaaa;" "a;"/reg,a`},
	} {
		d := compile(t, frame.Spec{Framers: frame.FramerSpecs{frame.Named("raw")}, Register: &c.register})
		r := d.Reader(false)
		got := short(feed(t, r, pieces(c.pieces...)...))
		if got != c.want {
			t.Errorf("%+v of %q:\ngot  %s\nwant %s", c.register, c.pieces, got, c.want)
		}
	}
}

func TestNamesAreFoundBesideFramersAndPresets(t *testing.T) {
	beat := string(unhex(t, "78780a13440604000201baaf540d0a"))
	ack := string(unhex(t, "7878051301bafb710d0a"))
	adu := "\x00\x01\x00\x00\x00\x03\x01\x83\x02"
	quoted := `"\x00\x01\x00\x00\x00\x03\x01\x83\x02"`
	for _, c := range []struct {
		framer   frame.FramerSpec
		register frame.RegisterSpec
		stream   string
		want     string
	}{
		// Where lines are messages, a registration is one of them.
		{frame.Named("line"), frame.RegisterSpec{Pattern: `REG:(?P<name>\d+)`, Reply: "ok"}, "REG:12;t=5\r\nx\n", `"REG:12;t=5"/reg,12→ok "x"`},
		{frame.Named("line"), frame.RegisterSpec{Pattern: `REG:(?P<name>\d+)\r\n`}, "x\nREG:12\r\nREG:13\r\n", `"x" "REG:12"/reg,12 "REG:13"`},
		{frame.Named("line"), frame.RegisterSpec{Pattern: `(?P<name>\d+)$`}, "1x\n12\n", `"1x" "12"/reg,12`},
		{frame.Named("line"), frame.RegisterSpec{Pattern: `(?P<name>\d+),`, When: "prefix", Reply: "hi {name}"}, "12,a\n12,\n13,b\nc\n",
			`"a"/data,12→hi 12 ""/reg,12→hi 12 "b"/data,13 "c"`},
		{frame.Named("line"), frame.RegisterSpec{Pattern: `(?P<name>\d+),`, When: "both"}, "12,\n12,a\n", `"12,"/reg,12 "a"/data,12`},
		{frame.FramerSpec{Type: "between", Start: "*", End: "#"}, frame.RegisterSpec{Pattern: `REG,(?P<name>\d+)`}, "*REG,12,V#*x#", `"REG,12,V"/reg,12 "x"`},
		{frame.FramerSpec{Type: "length", Width: 1}, frame.RegisterSpec{Pattern: `\x04(?P<name>\d+)`}, "\x0412ab\x01x", `"\x0412ab"/reg,12 "\x01x"`},
		// A DTU speaks first, and then lets through what is not like that at all.
		{frame.FramerSpec{Type: "length", Width: 1}, frame.RegisterSpec{Pattern: `LOGIN:(?P<name>\d+);`, Bare: true}, "LOGIN:12;\x02ab\x01x", `"LOGIN:12;"/reg,12 "\x02ab" "\x01x"`},
		{frame.Named("gt06"), frame.RegisterSpec{Pattern: `LOGIN:(?P<name>\w+);`, Reply: "+"}, "LOGIN:12;" + beat, `"LOGIN:12;"/reg,12→+ "xx\n\x13D\x06\x04\x00\x02\x01\xba\xafT\r\n"/beat→` + ack},
		{frame.Named("modbus-tcp"), frame.RegisterSpec{Pattern: `(?P<name>\d+),`}, adu + "12," + adu, quoted + ` "12,"/reg,12 ` + quoted},
		{frame.Named("modbus-tcp"), frame.RegisterSpec{Pattern: `#(?P<name>\d+),`, When: "prefix"}, "#12," + adu + "#12," + adu + adu + "#13," + adu,
			quoted + `/data,12 ` + quoted + `/data,12 ` + quoted + ` ` + quoted + `/data,13`},
		{frame.Named("jt808"), frame.RegisterSpec{Pattern: `#(?P<name>\d+),`, When: "both"}, "#12,~ab~#12,~cd~", `"#12,"/reg,12 "ab"/data,check "cd"/data,check,12`},
	} {
		d := compile(t, frame.Spec{Framers: frame.FramerSpecs{c.framer}, Register: &c.register})
		if got := short(however(t, d, []byte(c.stream))); got != c.want {
			t.Errorf("%+v, %+v of %q:\ngot  %s\nwant %s", c.framer, c.register, c.stream, got, c.want)
		}
	}
}

func TestHeartbeatsAreWholeMessages(t *testing.T) {
	d := compile(t, frame.Spec{Framers: frame.FramerSpecs{frame.Named("line")},
		Heartbeats: []frame.HeartbeatSpec{{Pattern: "PING", Reply: `PONG\n`}, {Pattern: ``}, {Pattern: `\x00+`}, {Pattern: `b\r\n`}}})
	got := short(however(t, d, []byte("PING\r\n\nPING!\n\x00\x00\nb\r\nb\n")))
	if want := `"PING"/beat→PONG` + "\n" + ` ""/beat "PING!" "\x00\x00"/beat "b"/beat "b"`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestADTURegistersAsItsMakerSetItUp(t *testing.T) {
	for _, c := range []struct {
		spec   frame.Spec
		pieces []string
		want   string
	}{
		{frame.Spec{}, []string{"LOGIN:1001", "www.usr.cn", "\x00", "\x01\x03\x00", "\r\n"}, `"LOGIN:1001"/reg,1001 "www.usr.cn"/beat "\x00"/beat "\x01\x03\x00" "\r\n"/beat`},
		{frame.Spec{}, []string{"86000000", "0000017", "x"}, `"860000000000017"/reg,860000000000017 "x"`},
		{frame.Spec{Register: &frame.RegisterSpec{Pattern: `\x4c\x4f(?P<name>..)`}, Heartbeats: []frame.HeartbeatSpec{{Pattern: `\xfe`}}},
			[]string{"LOGIN:1001", "\xfe", "\x00"}, `"LOGI"/reg,GI "N:1001" "\xfe"/beat "\x00"`},
	} {
		c.spec.Framers = frame.FramerSpecs{frame.Named("usr-dtu")}
		if got := short(feed(t, compile(t, c.spec).Reader(false), pieces(c.pieces...)...)); got != c.want {
			t.Errorf("%q:\ngot  %s\nwant %s", c.pieces, got, c.want)
		}
	}
}

func TestANameIsSaidOnceAndThenKnown(t *testing.T) {
	d := dialect(t, "etung")
	r := d.Reader(false)
	if p := r.Position(); p.Name != "" {
		t.Errorf("before it said a name: %+v", p)
	}
	all := feed(t, r, pieces("hello", "ETUNG:8600#", "ETUNG:8601#")...)
	if got, want := short(all), `"hello" "ETUNG:8600#"/reg,8600 "ETUNG:8601#"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	again := d.ReaderAt(frame.Position{Offset: 5, Framer: 1, Name: "8600"}, false)
	if got, want := short(feed(t, again, pieces("ETUNG:8601#")...)), `"ETUNG:8601#"`; got != want {
		t.Errorf("behind the registration: got %s, want %s", got, want)
	}
}

func TestOfETUNGOnlyANameMakesARegistration(t *testing.T) {
	d := dialect(t, "etung")
	for _, c := range []struct {
		pieces []string
		want   string
	}{
		{[]string{"ETUNG:\n", "ETUNG:#", "x"}, `"ETUNG:\n" "ETUNG:#" "x"`},
		{[]string{"etung:12\n"}, `"etung:12\n"`},
		{[]string{"ETUNG:12", "34\n"}, `"ETUNG:1234\n"/reg,1234`},
		{[]string{"ETUNG:1234"}, `"ETUNG:1234"/reg,123`},
		{[]string{"E"}, `"E"/data`},
		{[]string{"ETUNG:" + strings.Repeat("a", 2000), "b"}, `"ETUNG:` + strings.Repeat("a", 2000) + `" "b"`},
		{[]string{"ETUNG:860000000000017#data"}, `"ETUNG:860000000000017#"/reg,860000000000017 "data"`},
	} {
		got := short(feed(t, d.Reader(false), pieces(c.pieces...)...))
		if got != strings.TrimSuffix(c.want, "/data") {
			t.Errorf("%q:\ngot  %s\nwant %s", c.pieces, got, c.want)
		}
	}
}
