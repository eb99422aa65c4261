package frame_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/switchboard-relay/switchboard/frame"
)

func TestFramersAreReadFromANameOrAList(t *testing.T) {
	type config struct {
		Frame frame.FramerSpecs `yaml:"frame"`
	}
	for _, c := range []struct {
		text string
		want frame.FramerSpecs
	}{
		{"frame: etung", frame.FramerSpecs{{Preset: "etung"}}},
		{"frame: line", frame.FramerSpecs{{Type: "line"}}},
		{"frame: [gt06, line]", frame.FramerSpecs{{Preset: "gt06"}, {Type: "line"}}},
		{"frame: {type: fixed, size: 4}", frame.FramerSpecs{{Type: "fixed", Size: 4}}},
		{"frame:\n  - gt06\n  - type: delimiters\n    delimiters: ['##', ';']\n    check: xor\n  - {preset: h02, size: 45}\n",
			frame.FramerSpecs{{Preset: "gt06"}, {Type: "delimiters", Delimiters: []string{"##", ";"}, Check: "xor"}, {Preset: "h02", Size: 45}}},
		{"frame: no-such", frame.FramerSpecs{{Preset: "no-such"}}},
	} {
		var got config
		if err := yaml.NewDecoder(strings.NewReader(c.text), yaml.Strict()).Decode(&got); err != nil {
			t.Errorf("%q: got error %v", c.text, err)
		} else if !reflect.DeepEqual(got.Frame, c.want) {
			t.Errorf("%q: got %+v, want %+v", c.text, got.Frame, c.want)
		}
	}
	for _, c := range []struct {
		text string
		line int
		says string
	}{
		{"frame:\n  - gt06\n  - type: fixed\n    sise: 4\n", 4, `unknown field "sise"`},
		{"frame:\n  type: fixed\n  sise: 4\n", 3, `unknown field "sise"`},
		{"frame:\n  - type: fixed\n    size: four\n", 3, "cannot unmarshal"},
		{"frame: {type: fixed, size: [1]}", 1, "cannot unmarshal"},
	} {
		var got config
		err := yaml.NewDecoder(strings.NewReader(c.text), yaml.Strict()).Decode(&got)
		var y yaml.Error
		if !errors.As(err, &y) || !strings.Contains(y.GetMessage(), c.says) || y.GetToken().Position.Line != c.line {
			t.Errorf("%q: got error %v; want one of line %d that says %q", c.text, err, c.line, c.says)
		}
	}
}

func TestASpecIsTheSameBehindJSON(t *testing.T) {
	off := false
	want := frame.Spec{Framers: frame.FramerSpecs{{Preset: "gt06", Reply: &off}, {Type: "between", Start: "hex:7e", End: `\x7e`, Escape: map[string]string{"a": "b"}}},
		Register: &frame.RegisterSpec{Pattern: `(?P<name>.)`, When: "both"}, Heartbeats: []frame.HeartbeatSpec{{Pattern: "x", Reply: "y"}}}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got frame.Spec
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v and %v", text, got, err)
	}
	if d := compile(t, got); !reflect.DeepEqual(d.Spec(), want) {
		t.Errorf("the dialect's spec: got %+v, want %+v", d.Spec(), want)
	}
}

func TestWhatIsWrongInASpecIsToldWithItsKeyAndTheMend(t *testing.T) {
	one := func(f frame.FramerSpec) frame.Spec { return frame.Spec{Framers: frame.FramerSpecs{f}} }
	register := func(r frame.RegisterSpec) frame.Spec {
		return frame.Spec{Framers: frame.FramerSpecs{frame.Named("raw")}, Register: &r}
	}
	yes := true
	for _, c := range []struct {
		spec frame.Spec
		keys []string
		mend string
	}{
		{frame.Spec{}, []string{"framers"}, "write a preset"},
		{one(frame.FramerSpec{}), []string{"framers[0].type"}, "write one of raw, line"},
		{one(frame.FramerSpec{Type: "lines"}), []string{"framers[0].type"}, "write one of raw, line"},
		{one(frame.FramerSpec{Preset: "gt07"}), []string{"framers[0].preset"}, "gt06"},
		{one(frame.FramerSpec{Preset: "gt06", Type: "line"}), []string{"framers[0].type"}, "one of them"},
		{one(frame.FramerSpec{Type: "delimiters"}), []string{"framers[0].delimiters"}, "in order"},
		{one(frame.FramerSpec{Type: "delimiters", Delimiters: []string{"a", ""}}), []string{"framers[0].delimiters[1]"}, "write bytes"},
		{one(frame.FramerSpec{Type: "delimiters", Delimiters: []string{`\q`}}), []string{"framers[0].delimiters[0]"}, "escape"},
		{one(frame.FramerSpec{Type: "between", Start: "hex:7", End: "x"}), []string{"framers[0].start"}, "two digits"},
		{one(frame.FramerSpec{Type: "between"}), []string{"framers[0].start", "framers[0].end"}, "write bytes"},
		{one(frame.FramerSpec{Type: "fixed"}), []string{"framers[0].size"}, "write 1"},
		{one(frame.FramerSpec{Type: "length", Width: 5, Offset: -1}), []string{"framers[0].offset", "framers[0].width"}, "1, 2, 3, 4 or 8"},
		{one(frame.FramerSpec{Type: "length", Width: 2, Endian: "middle"}), []string{"framers[0].endian"}, "big or little"},
		{one(frame.FramerSpec{Type: "length", Width: 2, Max: 1}), []string{"framers[0].max"}, "no room"},
		{one(frame.FramerSpec{Type: "line", Max: 17 << 20}), []string{"framers[0].max"}, "65536"},
		{one(frame.FramerSpec{Type: "gap"}), []string{"framers[0].gap"}, "50ms"},
		{one(frame.FramerSpec{Type: "gap", Gap: "50"}), []string{"framers[0].gap"}, "50ms"},
		{one(frame.FramerSpec{Type: "line", Size: 4}), []string{"framers[0].size"}, "fixed"},
		{one(frame.FramerSpec{Type: "line", Check: "crc16"}), []string{"framers[0].check"}, "crc16-x25"},
		{one(frame.FramerSpec{Type: "line", Check: "crc32", CheckTo: -2}), []string{"framers[0].check_to"}, "-4"},
		{one(frame.FramerSpec{Type: "line", CheckFrom: 2}), []string{"framers[0].check"}, "missing"},
		{one(frame.FramerSpec{Preset: "gt06", Check: "xor"}), []string{"framers[0].check"}, "its own"},
		{one(frame.FramerSpec{Type: "line", OnBad: "close"}), []string{"framers[0].on_bad"}, "flag or end"},
		{one(frame.FramerSpec{Type: "line", Reply: &yes}), []string{"framers[0].reply"}, "presets"},
		{one(frame.FramerSpec{Preset: "h02", Size: 40}), []string{"framers[0].size"}, "32 or 45"},
		{one(frame.FramerSpec{Preset: "gt06", Max: 10}), []string{"framers[0].max"}, "64 or more"},
		{frame.Spec{Framers: frame.FramerSpecs{frame.Named("line"), frame.Named("gt06")}}, []string{"framers[0]"}, "put it last"},
		{register(frame.RegisterSpec{Pattern: `(`}), []string{"register.pattern"}, "regular expression"},
		{register(frame.RegisterSpec{Pattern: `LOGIN`}), []string{"register.pattern"}, "(?P<name>…)"},
		{register(frame.RegisterSpec{Pattern: `中(?P<name>.)`}), []string{"register.pattern"}, `\xe4`},
		{register(frame.RegisterSpec{Pattern: `(?P<name>.)`, When: "always", Max: -1, Reply: `\q`}), []string{"register.when", "register.reply", "register.max"}, "once, prefix or both"},
		{frame.Spec{Framers: frame.FramerSpecs{frame.Named("raw")}, Heartbeats: []frame.HeartbeatSpec{{Pattern: "x"}, {Pattern: "*"}}}, []string{"heartbeats[1].pattern"}, "regular expression"},
	} {
		_, err := frame.Compile(c.spec)
		var keys []string
		if joined, found := err.(interface{ Unwrap() []error }); found {
			for _, e := range joined.Unwrap() {
				var wrong *frame.SpecError
				if errors.As(e, &wrong) {
					keys = append(keys, wrong.Key)
				}
			}
		}
		if !slices.Equal(keys, c.keys) || !strings.Contains(err.Error(), c.mend) {
			t.Errorf("%+v:\ngot error %v of %q\nwant one of %q that says %q", c.spec, err, keys, c.keys, c.mend)
		}
	}
}
