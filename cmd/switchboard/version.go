package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// VersionCmd prints what this program is and what it was built from.
type VersionCmd struct{}

// Run prints one fact a line.
func (VersionCmd) Run(std *stdio) error {
	b := readBuild()
	fmt.Fprintf(std.out, "switchboard %s\n", b.version)
	if b.commit != "" {
		fmt.Fprintf(std.out, "commit      %s\n", b.commit)
	}
	fmt.Fprintf(std.out, "go          %s\n", runtime.Version())
	_, err := fmt.Fprintf(std.out, "platform    %s/%s\n", runtime.GOOS, runtime.GOARCH)
	return err
}

// buildVersion is set by the linker where a release is built.
var buildVersion string

// version is the program's version, as the server tells it.
func version() string { return readBuild().version }

type build struct{ version, commit string }

func readBuild() build {
	b := build{version: cmp.Or(buildVersion, "devel")}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; buildVersion == "" && v != "" && v != "(devel)" {
		b.version = v
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	b.commit = settings["vcs.revision"]
	if b.commit != "" && settings["vcs.modified"] == "true" {
		b.commit += " with changes"
	}
	if at := settings["vcs.time"]; b.commit != "" && at != "" {
		b.commit += ", " + at
	}
	return b
}
