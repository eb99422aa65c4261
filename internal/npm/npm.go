// Package npm brings a folder's packages of npm, for tests that run JavaScript.
package npm

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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
	defer lock(t, dir)()
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

// lock keeps other tests, and other processes' tests, from installing into the same folder.
func lock(t testing.TB, dir string) (unlock func()) {
	t.Helper()
	path, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("switchboard-npm-%x.lock", sha256.Sum256([]byte(path)))
	f, err := os.OpenFile(filepath.Join(os.TempDir(), name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
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
