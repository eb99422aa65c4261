// Package console_test holds the web console to what it is for: in a real browser, against a real server.
package console_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/switchboard-relay/switchboard/internal/npm"
)

// run runs a program in this folder, and fails the test with what it says.
func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	} else {
		t.Logf("%s", out)
	}
}

func TestTheConsolesTypesAndTemplatesAreRight(t *testing.T) {
	npm.Install(t, ".", true)
	run(t, nil, "node", "node_modules/svelte-check/bin/svelte-check", "--tsconfig", "tsconfig.json", "--fail-on-warnings")
}

func TestTheBuiltConsoleIsThatOfItsSource(t *testing.T) {
	npm.Install(t, ".", true)
	fresh := t.TempDir()
	run(t, nil, "node", "node_modules/vite/bin/vite.js", "build", "--outDir", fresh, "--logLevel", "warn")
	want, got := files(t, fresh), files(t, filepath.Join("..", "web", "console"))
	for name, content := range want {
		if !bytes.Equal(got[name], content) {
			t.Errorf("web/console/%s is not what the source makes: run make console, and commit what it writes", name)
		}
	}
	for name := range got {
		if want[name] == nil {
			t.Errorf("web/console/%s is of an older source: run make console, and commit what it writes", name)
		}
	}
}

// files are a folder's, by their paths in it.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found[path], err = os.ReadFile(filepath.Join(dir, path))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTheConsoleInABrowser(t *testing.T) {
	npm.Install(t, ".", true)
	dir := t.TempDir()
	racing, plain := filepath.Join(dir, "racing"), filepath.Join(dir, "plain") // the latter for what is measured
	run(t, nil, "go", "build", "-race", "-o", racing, "../cmd/switchboard")
	run(t, nil, "go", "build", "-o", plain, "../cmd/switchboard")
	scenes, err := filepath.Glob("tests/*.test.mjs")
	if err != nil || len(scenes) == 0 {
		t.Fatalf("no scenes in tests: %v", err)
	}
	for _, scene := range scenes {
		t.Run(filepath.Base(scene), func(t *testing.T) {
			t.Parallel() // each has a server and a browser of its own, and waits for most of its time
			run(t, []string{"SWITCHBOARD=" + racing, "SWITCHBOARD_PLAIN=" + plain}, "node", "--test", "--test-reporter=spec", scene)
		})
	}
}
