package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// count is what came of a suite's runs.
type count struct {
	tests, skipped       int // by the suite itself
	runs, passed, failed int
	faults               map[string]int // by test and message
}

func (c *count) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d tests", c.tests)
	if c.skipped > 0 {
		fmt.Fprintf(&b, " (and %d that the suite skips)", c.skipped)
	}
	fmt.Fprintf(&b, ", %d runs: %d passed, %d failed", c.runs, c.passed, c.failed)
	faults := []string{}
	for fault, n := range c.faults {
		faults = append(faults, fmt.Sprintf("\n  %3d x %s", n, fault))
	}
	slices.Sort(faults)
	return b.String() + strings.Join(faults, "")
}

// runSuite runs the suite in a folder. The suites have their server's address in them: what runs is a copy with another.
func runSuite(ctx context.Context, folder, temp, addr string, repeat int) (*count, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(temp, "suite")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(folder, "test-suite.js"))
	if err != nil {
		return nil, fmt.Errorf("%w\n\n%s", err, usage)
	}
	if !bytes.Contains(text, []byte("localhost:3000")) {
		return nil, fmt.Errorf("%s/test-suite.js does not name localhost:3000, which was to be replaced", folder)
	}
	text = bytes.ReplaceAll(text, []byte("localhost:3000"), []byte(addr))
	if err := os.WriteFile(filepath.Join(work, "test-suite.js"), text, 0o644); err != nil {
		return nil, err
	}
	for _, name := range []string{"node-imports.js", "package.json", "node_modules"} {
		if err := os.Symlink(filepath.Join(folder, name), filepath.Join(work, name)); err != nil {
			return nil, err
		}
	}
	c := &count{faults: map[string]int{}}
	for range repeat {
		if err := c.run(ctx, work); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// runLimit is far beyond what a run takes.
const runLimit = 2 * time.Minute

// run runs the suite in a folder once.
func (c *count) run(ctx context.Context, work string) error {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	mocha := filepath.Join("node_modules", "mocha", "bin", "mocha")
	if _, err := os.Stat(filepath.Join(work, mocha)); err != nil {
		return fmt.Errorf("npm ci did not run in the suite's folder: %w\n\n%s", err, usage)
	}
	cmd := exec.CommandContext(ctx, "node", mocha, "--exit", "--reporter", "json", "test-suite.js")
	cmd.Dir = work
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output() // an error says that tests failed, if there is a report
	var report struct {
		Stats    struct{ Tests, Passes, Pending int }
		Failures []struct {
			FullTitle string
			Err       struct{ Message string }
		}
	}
	if start := bytes.IndexByte(out, '{'); start < 0 || json.Unmarshal(out[start:], &report) != nil {
		return fmt.Errorf("mocha gave no report: %v\n%s%s", err, out, &said)
	}
	if report.Stats.Tests == 0 {
		return fmt.Errorf("mocha found no tests\n%s", &said)
	}
	c.tests, c.skipped = report.Stats.Tests-report.Stats.Pending, report.Stats.Pending
	c.runs++
	c.passed += report.Stats.Passes
	c.failed += len(report.Failures)
	for _, f := range report.Failures {
		c.faults[f.FullTitle+": "+strings.ReplaceAll(f.Err.Message, "\n", " ")]++
	}
	return nil
}
