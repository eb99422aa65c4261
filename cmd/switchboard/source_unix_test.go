//go:build linux || darwin

package main

import (
	"io"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/threeend"
)

func TestAProgramIsASessionOfTheSource(t *testing.T) {
	p, addr := sourcing(t, "--id", "job", "--", "sh", "-c", `echo ready; read word; echo "got $word"; exit 3`)
	v := viewOf(t, addr, "job")
	v.untilShown("ready")
	io.WriteString(p.in, "中文\n")
	v.ends(threeend.Over)
	if !strings.Contains(v.shown.String(), "got 中文") || v.typed.String() != "中文\n" {
		t.Errorf("got %q shown, and %q typed", v.shown.String(), v.typed.String())
	}
	if got := p.out.rest(); got != "ready\r\ngot 中文\r\n" {
		t.Errorf("who runs it is shown %q", got)
	}
	if code := p.exit(); code != 3 {
		t.Errorf("got exit code %d, want the program's own", code)
	}
}

func TestAKickEndsTheProgram(t *testing.T) {
	path := cast(t, "other.cast", "{\"version\": 2, \"width\": 80, \"height\": 24}\n[0, \"o\", \"hi\"]\n")
	p, addr := sourcing(t, path, "--", "sh", "-c", "echo ready; exec cat")
	v, other := viewOf(t, addr, "1"), viewOf(t, addr, "other")
	v.untilShown("ready")
	other.untilShown("hi")
	ask(t, addr, threeend.AppendRequest(nil, true, "1")).ends(threeend.Kicked)
	v.ends(threeend.Kicked)
	other.ends(threeend.Over) // the source has ended with its program
	if code := p.exit(); code != 129 {
		t.Errorf("got exit code %d, want that of SIGHUP", code)
	}
}
