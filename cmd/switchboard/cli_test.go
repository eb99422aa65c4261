package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// runOnce executes a command line that needs no input and ends by itself.
func runOnce(t *testing.T, args ...string) (code int, out, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code = run(ctx, args, strings.NewReader(""), &stdout, &stderr)
	if ctx.Err() != nil {
		t.Fatalf("%q did not end within a minute: it printed %.1000q and said %.1000q", args, &stdout, &stderr)
	}
	return code, stdout.String(), stderr.String()
}

func TestAWrongCommandLineIsOneLineThatSaysWhatToDo(t *testing.T) {
	cases := []struct {
		args []string
		said string
	}{
		{[]string{"lss"}, `unexpected argument lss, did you mean "ls"?`},
		{[]string{"ls", "--lve"}, `did you mean "--live"? (see "switchboard ls --help")`},
		{[]string{"ls", "--live", "--recorded"}, "can't be used together"},
		{[]string{"ls", "--cause", "bored"}, "the causes are hung up, reset, kicked"},
		{[]string{"ls", "--since", "yesterday"}, "must be a time ago (2h, 3d)"},
		{[]string{"ls", "--limit", "0"}, "must be 1 or more"},
		{[]string{"watch", "x", "--from", "0"}, "must be an event's number, 1 or more, or now"},
		{[]string{"watch", "x", "--hex", "--raw"}, "can't be used together"},
		{[]string{"play", "x", "--speed", "0"}, "must be from 0.015625 to 1024"},
		{[]string{"play", "x", "--from", "later"}, "must be a time from the start"},
		{[]string{"send", "x", "--hex", "4g"}, "is not a hex digit"},
		{[]string{"send", "x", "-e", `\q`}, "is no escape"},
		{[]string{"say", "x"}, "say what? one TEXT is needed"},
		{[]string{"say", "x", "two", "words"}, "one TEXT is needed"},
		{[]string{"say", "x", ""}, "there is nothing to say"},
		{[]string{"say", "", "x"}, `"switchboard rooms" lists the names`},
		{[]string{"rooms", ""}, `"switchboard rooms" lists the names`},
		{[]string{"say", "x", "--hex", "--event", "e", "1"}, "can't be used together"},
		{[]string{"say", "x", "--event", "e", "1", "hello"}, `argument 2 is no JSON: hello: write a text in two pairs of quotes`},
		{[]string{"say", "x", "--event", "disconnect"}, "choose another"},
		{[]string{"find", "x", ""}, "the text is empty"},
		{[]string{"find", "x", "--hex", "4g"}, "is not a hex digit"},
		{[]string{"find", "x", "--hex", "--case", "00"}, "can't be used together"},
		{[]string{"find", "x", "a", "--limit", "10001"}, "must be from 1 to 10000"},
		{[]string{"note", "x"}, "a text is needed"},
		{[]string{"note", "x", "text", "--at", "noon"}, "must be a time from the session's start"},
		{[]string{"export", "x", "--format", "mp4"}, "must be one of"},
		{[]string{"connect", "127.0.0.1:8000"}, "must begin with tcp://, tls://, udp:// or unix://"},
		{[]string{"connect", "tcp://127.0.0.1"}, "the port is missing"},
		{[]string{"connect", "tcp://127.0.0.1:1", "--every", "2s"}, "add --random"},
		{[]string{"connect", "tls://127.0.0.1:1", "--cert", "x.pem"}, "must be used together"},
		{[]string{"ls", "--server", "ftp://x", "--token", "t"}, "must be an address like http://127.0.0.1:8081"},
		{[]string{"ls", "--server", "http://127.0.0.1:1", "--token"}, "needs a value"},
		{[]string{"ls", "--server", "http://127.0.0.1:1"}, "add --token TOKEN or set SWITCHBOARD_TOKEN"},
	}
	for _, c := range cases {
		code, out, said := runOnce(t, c.args...)
		oneLine := strings.HasPrefix(said, "switchboard: ") && strings.Count(said, "\n") == 1
		if code != exitUsage || out != "" || !oneLine || !strings.Contains(said, c.said) {
			t.Errorf("%q: got exit code %d, output %q, said %q; want %d and %q in one line", c.args, code, out, said,
				exitUsage, c.said)
		}
	}
}

func TestHelpIsForEveryCommand(t *testing.T) {
	code, out, _ := runOnce(t)
	if code != exitOK || !strings.Contains(out, "Usage: switchboard") {
		t.Errorf("no arguments: got exit code %d, %q", code, out)
	}
	names := "serve check config console ls watch kick send rooms say play find export import note notes pin unpin rm connect command commands " +
		"verify version"
	for _, name := range strings.Fields(names) {
		code, help, said := runOnce(t, name, "--help")
		if code != exitOK || !strings.HasPrefix(help, "Usage: switchboard "+name) || said != "" {
			t.Errorf("%s --help: got exit code %d, %q, %q", name, code, help, said)
		}
		if !strings.Contains(out, "\n  "+name+" ") {
			t.Errorf("the list of commands lacks %s", name)
		}
	}
}

func TestVersionSaysWhatRuns(t *testing.T) {
	code, out, _ := runOnce(t, "version")
	if code != exitOK || !strings.HasPrefix(out, "switchboard ") || !strings.Contains(out, runtime.Version()) ||
		!strings.Contains(out, runtime.GOOS+"/"+runtime.GOARCH) {
		t.Errorf("got exit code %d, %q", code, out)
	}
}

func TestWithoutAServerTheErrorSaysHowToStartOne(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"ls"}, {"console"}, {"watch", "x"}, {"kick", "x"}, {"send", "x", "y"}, {"rooms"},
		{"rooms", "x"}, {"say", "x", "y"}, {"say", "x", "-"}, {"play", "x"}, {"export", "x"}, {"import", "-"}, {"pin", "x"}, {"unpin", "x"}, {"rm", "x"}} {
		code, _, said := runOnce(t, append(args, "--data", dir)...)
		want := fmt.Sprintf("switchboard: no server runs on the data folder %s: start one with "+
			"\"switchboard serve --data %s\", or name another with --data DIR or --server URL\n", dir, dir)
		if code != exitFailed || said != want {
			t.Errorf("%q: got exit code %d, %q, want %q", args, code, said, want)
		}
	}
}

func TestAServerThatWasKilledIsNamedAsSuch(t *testing.T) {
	address, _ := deafPort(t)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "server.json"), fmt.Sprintf(`{"url":"http://%s","pid":1}`, address))
	if _, _, said := runOnce(t, "ls", "--data", dir); !strings.Contains(said, "no token for the server") {
		t.Errorf("without a token: got %q", said)
	}
	writeFile(t, filepath.Join(dir, "token"), "secret\n")
	code, _, said := runOnce(t, "ls", "--data", dir)
	want := "it was probably killed; start it with \"switchboard serve --data " + dir
	if code != exitFailed || !strings.Contains(said, want) {
		t.Errorf("got exit code %d, %q", code, said)
	}
	writeFile(t, filepath.Join(dir, "server.json"), "{")
	_, _, said = runOnce(t, "ls", "--data", dir)
	if !strings.Contains(said, "restart the server, which writes it anew") {
		t.Errorf("damaged server.json: got %q", said)
	}
}

func TestATokenMayBeginWithAHyphen(t *testing.T) {
	for _, args := range [][]string{{"--token", "-R8"}, {"--token=-R8"}, {"--token", "--"}} {
		code, _, said := runOnce(t, append([]string{"ls", "--server", "http://127.0.0.1:1"}, args...)...)
		if code != exitFailed || !strings.Contains(said, "no server answers at http://127.0.0.1:1") {
			t.Errorf("%q: got exit code %d, %q", args, code, said)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
