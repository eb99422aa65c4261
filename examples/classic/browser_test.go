package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/switchboard-relay/switchboard/internal/npm"
)

// browser is a real one, driven by browser.js: its commands and their answers are lines of JSON.
type browser struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Reader

	mu sync.Mutex // a command and its answer
}

// start starts the browser that all tests share; TestMain ends it.
var start = sync.OnceValues(func() (*browser, error) {
	programs := []string{"chromium", "chromium-browser", "google-chrome"}
	at := slices.IndexFunc(programs, func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	if at < 0 {
		return nil, errors.New("there is no chromium: make deps installs it")
	}
	program, err := exec.LookPath(programs[at])
	if err != nil {
		return nil, err
	}
	b := &browser{cmd: exec.Command("node", "browser.js", program)}
	b.cmd.Stderr = os.Stderr
	if b.in, err = b.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	b.answers = bufio.NewReader(out)
	running = b
	return b, b.cmd.Start()
})

var running *browser // nil until a test needs it

func TestMain(m *testing.M) {
	code := m.Run()
	if running != nil && running.cmd.Process != nil {
		running.in.Close()
		if err := running.cmd.Wait(); err != nil && code == 0 {
			fmt.Fprintln(os.Stderr, "browser.js:", err)
			code = 1
		}
	}
	os.Exit(code)
}

type command struct {
	Command  string `json:"command"`
	Name     string `json:"name"`
	URL      string `json:"url,omitempty"`
	Locale   string `json:"locale,omitempty"`
	Text     string `json:"text,omitempty"`
	Event    string `json:"event,omitempty"`
	Argument any    `json:"argument,omitempty"`
	Path     string `json:"path,omitempty"`
	Width    int    `json:"width,omitempty"`
	Scheme   string `json:"scheme,omitempty"`
}

func (b *browser) do(c command) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := json.NewEncoder(b.in).Encode(c); err != nil {
		return nil, err
	}
	line, err := b.answers.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("browser.js ended: %w", err)
	}
	var answer struct {
		Result []string
		Error  string
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return nil, fmt.Errorf("%w in %s", err, line)
	}
	if answer.Error != "" {
		return nil, errors.New(answer.Error)
	}
	return answer.Result, nil
}

// tab is a page in the browser, with cookies and a language of its own.
type tab struct {
	t      *testing.T
	b      *browser
	name   string
	errors *regexp.Regexp // that its console may have; nil: none
}

// open opens a page. At the test's end its console must have no errors but those that were expected.
func open(t *testing.T, name, url, locale string) *tab {
	t.Helper()
	npm.Install(t, ".", true)
	b, err := start()
	if err != nil {
		t.Fatal(err)
	}
	p := &tab{t: t, b: b, name: t.Name() + " " + name}
	p.do(command{Command: "open", URL: url, Locale: locale})
	t.Cleanup(func() {
		for _, line := range p.do(command{Command: "close"}) {
			if p.errors == nil || !p.errors.MatchString(line) {
				t.Errorf("the page of %s has an error in its console: %s", name, line)
			}
		}
	})
	return p
}

func (p *tab) do(c command) []string {
	p.t.Helper()
	c.Name = p.name
	result, err := p.b.do(c)
	if err != nil {
		p.t.Fatalf("%s of the page of %s: %v", c.Command, p.name, err)
	}
	return result
}

// say types into the form and sends it.
func (p *tab) say(text string) { p.t.Helper(); p.do(command{Command: "say", Text: text}) }

// emit has the page's own socket send an event that the form could not.
func (p *tab) emit(event string, argument any) {
	p.t.Helper()
	p.do(command{Command: "emit", Event: event, Argument: argument})
}

// sees waits until the page shows a message.
func (p *tab) sees(text string) { p.t.Helper(); p.do(command{Command: "sees", Text: text}) }

// hears waits until the page's own socket has got an event: a JSON array of its name and its first argument.
func (p *tab) hears(event string) { p.t.Helper(); p.do(command{Command: "hears", Text: event}) }

// state waits until the page says how it is connected, or why not; a regular expression.
func (p *tab) state(pattern string) { p.t.Helper(); p.do(command{Command: "state", Text: pattern}) }

// upgraded waits until the page is connected by WebSocket.
func (p *tab) upgraded() { p.t.Helper(); p.do(command{Command: "upgraded"}) }

// ended waits until the page says why it is not connected any more; then nothing can be said on it.
func (p *tab) ended(pattern string) {
	p.t.Helper()
	p.state(pattern)
	p.do(command{Command: "ended"})
}

// fits holds the page's layout to a window of so many pixels.
func (p *tab) fits(width int) { p.t.Helper(); p.do(command{Command: "fits", Width: width}) }

// shows reports what the page shows that does not differ: all messages, in their order.
func (p *tab) shows(want ...string) {
	p.t.Helper()
	if got := p.do(command{Command: "said"}); !slices.Equal(got, want) {
		p.t.Errorf("the page of %s shows %q; want %q", p.name, got, want)
	}
}
