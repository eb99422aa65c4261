package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

func TestAKickEndsTheSessionAndIsTold(t *testing.T) {
	s := open(t)
	c := s.dial("hello", "Hello client!")
	id := s.await(1)[0].ID
	p := start(t, s.with("watch", string(id))...)
	p.out.until("Hello client!")
	if got, want := s.do("kick", id.Short(), "--reason", "maintenance"), string(id)+" kicked\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.ended(c)
	p.out.until("· closed    kicked by admin: maintenance\n")
	sum := s.await(1, "--recorded")[0]
	if sum.Cause != session.Kicked || sum.By != "admin" || sum.Reason != "maintenance" {
		t.Errorf("the record says %+v", sum)
	}
	if said := s.refuses("kick", id.Short()); !strings.Contains(said, "not live") {
		t.Errorf("a second kick: got %q", said)
	}
}

func TestSeveralAreKickedAndTheOneThatIsNotThereIsTold(t *testing.T) {
	s := open(t)
	a, b := s.dial("hello", "Hello client!"), s.dial("hello", "Hello client!")
	list := s.await(2)
	said := s.refuses("kick", list[0].ID.Short(), "zzzzzzzz", list[1].ID.Short())
	if !strings.Contains(said, "zzzzzzzz") {
		t.Errorf("got %q", said)
	}
	s.ended(a)
	s.ended(b)
}

func TestSentBytesReachTheFarEndUnchanged(t *testing.T) {
	s := open(t)
	c := s.dial("hello", "Hello client!")
	id := string(s.await(1)[0].ID)
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"plain 中文"}, "plain 中文"}, {[]string{"-e", `a\r\n\x00`}, "a\r\n\x00"},
		{[]string{"--hex", "ff 00 0a"}, "\xff\x00\n"},
	} {
		out := s.do(append([]string{"send", id}, step.args...)...)
		s.expect(c, step.want)
		if want := fmt.Sprintf("%d bytes sent to %s\n", len(step.want), id); out != want {
			t.Errorf("send %q: got %q, want %q", step.args, out, want)
		}
	}
	p := start(t, s.with("send", id, "-")...)
	big := strings.Repeat("x", 3<<20) + "end"
	go func() {
		io.WriteString(p.in, big)
		p.in.Close()
	}()
	s.expect(c, big)
	if got := p.out.next(); got != fmt.Sprintf("%d bytes sent to %s\n", len(big), id) {
		t.Errorf("from the standard input: got %q", got)
	}
}

func TestAnIDThatIsNotThereOrNotEnoughSaysSo(t *testing.T) {
	s := open(t)
	ids := map[byte][]session.ID{}
	var shared []session.ID
	for len(shared) == 0 {
		id := s.spoken("x")
		ids[id[0]] = append(ids[id[0]], id)
		if len(ids[id[0]]) > 1 {
			shared = ids[id[0]]
		}
	}
	said := s.refuses("watch", string(shared[0][:1]))
	for _, id := range shared {
		if !strings.Contains(said, string(id)) {
			t.Errorf("an ambiguous prefix lists the candidates: %s is not in %q", id, said)
		}
	}
	for _, args := range [][]string{{"watch", "zzzzzzzz"}, {"play", "zzzzzzzz"}, {"export", "zzzzzzzz"},
		{"send", "zzzzzzzz", "x"}, {"kick", "zzzzzzzz"}, {"pin", "zzzzzzzz"}, {"rm", "zzzzzzzz"},
		{"find", "zzzzzzzz", "x"}, {"note", "zzzzzzzz", "x"}, {"notes", "zzzzzzzz"}} {
		if said := s.refuses(args...); !strings.Contains(said, "zzzzzzzz") {
			t.Errorf("%q: got %q", args, said)
		}
	}
}

func TestAWrongTokenSaysHowToGiveTheRightOne(t *testing.T) {
	s := open(t)
	code, _, said := runOnce(t, "ls", "--server", s.sb.URL(), "--token", "wrong")
	if code != exitFailed || !strings.Contains(said, "give the right one with --token or SWITCHBOARD_TOKEN") {
		t.Errorf("got exit code %d, %q", code, said)
	}
	token, err := os.ReadFile(filepath.Join(s.conf.Data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SWITCHBOARD_SERVER", strings.TrimPrefix(s.sb.URL(), "http://"))
	t.Setenv("SWITCHBOARD_TOKEN", strings.TrimSpace(string(token)))
	if code, _, said := runOnce(t, "ls"); code != exitOK {
		t.Errorf("by the environment: got exit code %d, %q", code, said)
	}
}

func TestRecordingsArePinnedUnpinnedAndRemoved(t *testing.T) {
	s := open(t)
	id := s.spoken("keep me\n")
	if got := s.do("pin", id.Short()); got != string(id)+" pinned\n" {
		t.Errorf("pin: got %q", got)
	}
	if !s.list()[0].Pinned || !strings.Contains(s.do("ls"), "hung up, pinned") {
		t.Errorf("ls does not show the pin: %s", s.do("ls"))
	}
	if said := s.refuses("rm", id.Short()); !strings.Contains(said, "pinned") {
		t.Errorf("rm of a pinned one: got %q", said)
	}
	s.do("unpin", id.Short())
	if got := s.do("rm", id.Short()); got != string(id)+" removed\n" {
		t.Errorf("rm: got %q", got)
	}
	s.await(0)
}

func TestWhatPassedIsFound(t *testing.T) {
	s := open(t)
	id := s.spoken("temperature=", "21.5\x1b\r\n", "\x00\xff")
	out := strings.Split(s.do("find", id.Short(), "TEMPERATURE=21"), "\n")
	if len(out) != 3 || !strings.Contains(out[0], `← received  #3     "temperature=21.5\x1b\r\n\x00`) ||
		!strings.Contains(out[1], `→ sent      #4     "Hello\ntemperature=21.5\x1b\r\n`) {
		t.Errorf("got %q", out)
	}
	if got := s.do("find", id.Short(), "--hex", "0d 0a:00", "--direction", "sent"); strings.Count(got, "\n") != 1 ||
		!strings.Contains(got, "→ sent") {
		t.Errorf("bytes: got %q", got)
	}
	if said := s.refuses("find", id.Short(), "Temperature", "--case"); !strings.Contains(said,
		`"Temperature" is not found in `+string(id)) {
		t.Errorf("what is not there: got %q", said)
	}
	code, text, said := runOnce(t, s.with("find", id.Short(), "e", "--limit", "2", "--json")...)
	lines := strings.Split(text, "\n")
	if code != exitOK || len(lines) != 4 || !strings.Contains(lines[0], `"match":"e"`) ||
		lines[2] != `{"done":true,"hits":2,"complete":false}` || !strings.Contains(said, "the first 2") {
		t.Errorf("with a limit: got exit code %d, %q, %q", code, text, said)
	}
}

func TestNotesAreWrittenAndListedWithTheMomentsThatTheyAreAbout(t *testing.T) {
	s := open(t)
	s.dial("hello", "Hello client!")
	id := s.await(1)[0].ID
	if _, out, said := runOnce(t, s.with("notes", id.Short())...); out != "" || !strings.Contains(said, "has no notes") {
		t.Errorf("none yet: got %q, %q", out, said)
	}
	for _, args := range [][]string{{"the pump stops\x1b[2J", "--at", "1m30s"}, {"--at", "0:05"}, {"seen by the day shift"}} {
		if got := s.do(append([]string{"note", id.Short()}, args...)...); got != string(id)+" noted\n" {
			t.Errorf("note %q: got %q", args, got)
		}
	}
	lines := strings.Split(s.do("notes", id.Short()), "\n")
	if len(lines) != 5 || !strings.Contains(lines[1], "seen by the day shift") ||
		!strings.HasPrefix(lines[2], "0:05.000  admin") || !strings.HasSuffix(lines[3], `the pump stops\x1b[2J`) {
		t.Errorf("got %q", lines)
	}
	var list []session.Note
	if err := json.Unmarshal([]byte(s.do("notes", id.Short(), "--json")), &list); err != nil || len(list) != 3 ||
		list[2].By != "admin" || *list[2].At != 90_000_000 {
		t.Errorf("as JSON: %+v, %v", list, err)
	}
}

func TestNotesOutliveTheServerAndItsIndex(t *testing.T) {
	s := open(t)
	id := s.spoken("one\n")
	s.do("note", id.Short(), "keep this in mind")
	if err := s.sb.Close(); err != nil {
		t.Fatal(err)
	}
	if out := s.do("verify"); !strings.Contains(out, "were checked") {
		t.Errorf("verify: got %q", out)
	}
	if err := os.Remove(filepath.Join(s.conf.Data, "index.db")); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.await(1, "--recorded")
	if got := s.do("notes", id.Short()); !strings.Contains(got, "keep this in mind") {
		t.Errorf("got %q", got)
	}
	s.do("rm", id.Short())
	if left, _ := filepath.Glob(filepath.Join(s.conf.Data, "recordings/*/*/*/*", string(id)+"*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestExportGivesTheExactBytes(t *testing.T) {
	s := open(t)
	id := s.spoken("one\x00\xff", "two\n")
	if got, want := s.do("export", id.Short()), "Hello\none\x00\xffone\x00\xfftwo\ntwo\n"; got != want {
		t.Errorf("both directions: got %q, want %q", got, want)
	}
	if got, want := s.do("export", id.Short(), "--direction", "received"), "one\x00\xfftwo\n"; got != want {
		t.Errorf("received: got %q, want %q", got, want)
	}
	for line := range strings.Lines(s.do("export", id.Short(), "--format", "jsonl")) {
		var ev session.Event
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Errorf("jsonl: %v in %q", err, line)
		}
	}
	if got := s.do("export", id.Short(), "-f", "hex"); !strings.Contains(got, "6f 6e 65 00 ff") {
		t.Errorf("hex: got %q", got)
	}
	file := filepath.Join(t.TempDir(), "session.bin")
	if out := s.do("export", id.Short(), "--direction", "sent", "-o", file); out != "" {
		t.Errorf("to a file: got output %q", out)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "Hello\none\x00\xfftwo\n" {
		t.Errorf("the file: got %q, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	said := s.refuses("export", id.Short(), "-o", filepath.Join(file, "x"))
	if !strings.Contains(said, "not a directory") {
		t.Errorf("where no file can be: got %q", said)
	}
}

func TestTheMessagesOfARoomAreWatchedOnceEach(t *testing.T) {
	s := open(t)
	a, b := s.dial("chat", ""), s.dial("chat", "")
	s.awaitMembers("chat", 2)
	id := s.await(1, "--remote", b.LocalAddr().String())[0].ID
	p := start(t, s.with("watch", "--raw", "--direction", "sent", string(id))...)
	var want strings.Builder
	for i := range 200 {
		word := fmt.Sprintf("message %d\n", i)
		want.WriteString(word)
		io.WriteString(a, word)
		s.expect(b, word)
	}
	b.Close()
	if got := p.out.rest(); got != want.String() {
		t.Errorf("got %q", got)
	}
}

func TestVerifyFindsAFlippedBitAndSaysWhere(t *testing.T) {
	s := open(t)
	id := s.spoken("one\n")
	if err := s.sb.Close(); err != nil {
		t.Fatal(err)
	}
	if out := s.do("verify"); !strings.Contains(out, "were checked") {
		t.Errorf("nothing damaged: got %q", out)
	}
	var file string
	filepath.WalkDir(filepath.Join(s.conf.Data, "recordings"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			file = path
		}
		return err
	})
	damaged, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged[len(damaged)/4] ^= 0x10
	if err := os.WriteFile(file, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, said := runOnce(t, "verify", s.conf.Data)
	if code != exitFailed || !strings.Contains(said, "damaged places: 1") || !strings.Contains(out, "at byte ") ||
		!strings.Contains(out, filepath.Base(file)) {
		t.Errorf("got exit code %d, %q, %q; the session is %s", code, out, said, id)
	}
}

func TestTheCurlLineOfTheManualShowsASession(t *testing.T) {
	s := open(t)
	id := s.spoken("one\n")
	token, err := os.ReadFile(filepath.Join(s.conf.Data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, s.sb.URL()+"/api/v1/sessions/"+string(id[:8])+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), `"text":"one\n"`) {
		t.Errorf("got %q, %v", body, err)
	}
}
