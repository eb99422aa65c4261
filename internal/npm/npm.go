// Package npm brings a folder's packages of npm, for tests that run JavaScript.
package npm

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// limit bounds a download.
const limit = 2 * time.Minute

// Install has the packages of dir's package-lock.json in its node_modules: it downloads them if they are not there, or not
// in their versions. Those for development only come if dev says so.
func Install(t testing.TB, dir string, dev bool) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("the test runs JavaScript in Node, but there is no %s: make deps installs it", program)
		}
	}
	if installed(t, dir, dev) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	args := []string{"ci", "--ignore-scripts"}
	if !dev {
		args = append(args, "--omit=dev")
	}
	cmd := exec.CommandContext(ctx, "npm", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the packages of package-lock.json could not be downloaded; without a network, run npm ci in this folder "+
			"elsewhere and bring its node_modules here: %v\n%s", err, out)
	}
}

// installed reports whether all packages are there, in their versions.
func installed(t testing.TB, dir string, dev bool) bool {
	t.Helper()
	var lock struct {
		Packages map[string]struct {
			Version string
			Dev     bool
		}
	}
	p, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err == nil {
		err = json.Unmarshal(p, &lock)
	}
	if err != nil {
		t.Fatal(err)
	}
	for folder, want := range lock.Packages {
		if folder == "" || want.Dev && !dev {
			continue
		}
		var got struct{ Version string }
		p, err := os.ReadFile(filepath.Join(dir, folder, "package.json"))
		if err != nil || json.Unmarshal(p, &got) != nil || got.Version != want.Version {
			return false
		}
	}
	return true
}
