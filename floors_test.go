package switchboard_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/switchboard-relay/switchboard"

// floors is the architecture: a package imports only floors below its own, and neighbours on a floor do not meet.
var floors = map[string]int{
	"session": 0, "frame": 0, "terminal": 0, "telnet": 0, "threeend": 0, "capture": 0, "device": 1, "simulate": 1, "command": 2, "announce": 1,
	"transport": 1, "recording": 1, "export": 1, "find": 1, "screen": 1, "foreign": 1, "bus": 1, "index": 1, "auth": 1,
	"hub": 2, "room": 2, "socketio": 2, "socketio/engine": 2, "socketio/clients": 3,
	"service/echo": 3, "service/room": 3, "service/relay": 3, "service/sink": 3, "service/fleet": 3, "forward": 3, "service/shell": 3, "service/ssh": 3,
	"service/source": 3, "service/sourceserver": 3, "web": 3,
	"":                4,
	"cmd/switchboard": 5,
}

// beside are folders that stand beside the house and may look into all of it; nothing in it may look at them.
var beside = []string{"internal/", "bench/", "examples/", "console/"}

func TestPackagesImportOnlyFloorsBelowTheirOwn(t *testing.T) {
	for _, p := range listPackages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if isBeside(name) {
			continue
		}
		floor, known := floors[name]
		if !known {
			t.Errorf("package %q stands on no floor: give it one in this test and in docs/architecture.md", name)
			continue
		}
		for _, imported := range p.Imports {
			if imported != module && !strings.HasPrefix(imported, module+"/") {
				continue
			}
			below := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
			if isBeside(below) {
				t.Errorf("%q imports %q, which stands beside the house", name, below)
			} else if strings.HasPrefix(name, "socketio") && below != "transport" && below != "socketio/engine" {
				t.Errorf("%q imports %q: it is of use by itself, and stands on transport alone", name, below)
			} else if at := floors[below]; at >= floor && !strings.HasPrefix(below, name+"/") {
				t.Errorf("%q (floor %d) imports %q (floor %d): only floors below may be imported", name, floor, below, at)
			}
		}
	}
}

func TestTheFloorsOfTheTestAreThoseOfTheFolders(t *testing.T) {
	found := map[string]bool{}
	for _, p := range listPackages(t) {
		found[strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")] = true
	}
	for _, name := range []string{"session", "capture", "terminal", "transport", "recording", "export", "find", "screen", "foreign", "bus", "index", "auth", "hub", "room",
		"socketio", "socketio/engine", "service/echo", "service/room", "service/relay", "service/sink", "service/shell", "service/ssh", "service/sourceserver", "telnet",
		"threeend", "web", "",
		"cmd/switchboard"} {
		if !found[name] {
			t.Errorf("the architecture names package %q; got no such folder", name)
		}
	}
}

func isBeside(name string) bool {
	for _, prefix := range beside {
		if strings.HasPrefix(name+"/", prefix) {
			return true
		}
	}
	return false
}

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []listedPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p listedPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) < 10 {
		t.Fatalf("go list found %d packages; want the whole module", len(list))
	}
	return list
}
