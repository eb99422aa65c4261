package foreign_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/switchboard-relay/switchboard/foreign"
	"github.com/switchboard-relay/switchboard/session"
)

func TestACastIsReadAsItComes(t *testing.T) {
	cast, err := foreign.NewLiveCast([]byte(`{"version":3,"term":{"cols":90,"rows":20},"title":"a title"}`))
	if err != nil || cast.Header().Size != (session.Size{Cols: 90, Rows: 20}) || cast.Header().Title != "a title" {
		t.Fatalf("%+v, %v", cast, err)
	}
	for _, c := range []struct {
		line string
		kind session.Kind
		at   int64
	}{{`[0.5, "o", "x"]`, session.Sent, 500_000}, {"# no event", 0, 0}, {`[0.25, "i", "x"]`, session.Received, 750_000}, {"", 0, 0},
		{`[1, "r", "80x24"]`, session.Resized, 1_750_000}, {`[0, "x", "4"]` + "\n", 0, 0}} {
		e, ok, err := cast.Line([]byte(c.line))
		if err != nil || ok != (c.kind != 0) || ok && (e.Kind != c.kind || e.Time != c.at) {
			t.Errorf("%s: %+v, %v, %v", c.line, e, ok, err)
		}
	}
	if exit := cast.Exit(); exit == nil || *exit != 4 {
		t.Errorf("the exit status is %v", exit)
	}
	var wrong *foreign.Error
	if _, _, err := cast.Line([]byte("{")); !errors.As(err, &wrong) || wrong.Where != "line 8" {
		t.Errorf("a wrong line: %v", err)
	}
	for _, header := range []string{"", "[]", `{"version":1}`, `{"version":2,"width":-1,"height":1}`} {
		if _, err := foreign.NewLiveCast([]byte(header)); !errors.As(err, &wrong) || wrong.Where != "line 1" {
			t.Errorf("the header %q: %v", header, err)
		}
	}
}

// FuzzACastThatComesIsReadOrRefused reads anything, line by line.
func FuzzACastThatComesIsReadOrRefused(f *testing.F) {
	f.Add([]byte("{\"version\":3,\"term\":{\"cols\":90,\"rows\":20}}\n[0.5, \"o\", \"x\"]\n[0, \"x\", \"3\"]"))
	f.Add([]byte("{\"version\":2,\"width\":90,\"height\":20}\n[0.5, \"r\", \"80x24\"]\n[1, \"m\", \"\"]\n# no event"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := bytes.Split(data, []byte("\n"))
		cast, err := foreign.NewLiveCast(lines[0])
		if err != nil {
			return
		}
		at := int64(0)
		for _, line := range lines[1:] {
			e, ok, err := cast.Line(line)
			if err != nil {
				return
			}
			if ok && e.Time < at {
				t.Fatalf("%q: %d lies before %d", line, e.Time, at)
			}
			if ok {
				at = e.Time
			}
		}
	})
}
