package command_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/command"
	"github.com/switchboard-relay/switchboard/device"
)

func TestBytesAreWrittenInFourWays(t *testing.T) {
	for _, test := range []struct {
		data string
		as   device.Encoding
		want string
	}{
		{`"AT+温度\r\n"`, "", "AT+温度\r\n"},
		{`"AT\n"`, device.Text, "AT\n"},
		{`"78 78\n0D0a"`, device.Hex, "xx\r\n"},
		{`"eHgNCg=="`, device.Base64, "xx\r\n"},
		{`{"type":"Buffer","data":[69,84,0,255]}`, device.Buffer, "ET\x00\xff"},
		{` [69, 84]`, device.Buffer, "ET"},
	} {
		got, err := command.Decode(json.RawMessage(test.data), test.as)
		if err != nil || string(got) != test.want {
			t.Errorf("%s as %q: got %q, %v; want %q", test.data, test.as, got, err, test.want)
		}
	}
}

func TestBytesThatCannotBeReadSayWhatWouldBe(t *testing.T) {
	for _, test := range []struct {
		data  string
		as    device.Encoding
		words string
	}{
		{`"x"`, "utf16", "must be text, hex, base64 or buffer"},
		{``, "", "data is missing"},
		{`null`, "", "data is missing"},
		{`""`, "", "data is empty"},
		{`[]`, device.Buffer, "data is empty"},
		{`[1]`, device.Text, "of encoding buffer"},
		{`"7"`, device.Hex, "two digits for each byte"},
		{`"0x78"`, device.Hex, "two digits for each byte"},
		{`"=="`, device.Base64, "no base64"},
		{`[1, 256]`, device.Buffer, "number 2 is 256"},
		{`[-1]`, device.Buffer, "from 0 to 255"},
		{`null`, device.Buffer, "from 0 to 255"},
		{``, device.Buffer, "from 0 to 255"},
		{`{"type":"Array","data":[1]}`, device.Buffer, `{"type":"Buffer"`},
		{`{"type":"Buffer","date":[1]}`, device.Buffer, `{"type":"Buffer"`},
		{`"` + strings.Repeat("x", command.MaxData+1) + `"`, device.Text, "at most 65536"},
	} {
		_, err := command.Decode(json.RawMessage(test.data), test.as)
		wantError(t, err, command.ErrBad, test.words)
	}
}

func TestRequestsThatCannotBeSayWhatIsWrong(t *testing.T) {
	h := open(t)
	long := strings.Repeat("x", command.MaxName+1)
	for _, test := range []struct{ line, words string }{
		{`[]`, "an object of JSON such as"},
		{`{"name":"8601","data":"x"`, "an object of JSON such as"},
		{`{"name":"8601","data":"x","qos":1}`, `there is no key "qos": a command has fleet, name, data`},
		{`{"name":8601,"data":"x"}`, "name must be a string"},
		{`{"data":"x"}`, "name is missing"},
		{`{"name":"` + long + `","data":"x"}`, "name has 257 bytes: at most 256"},
		{`{"name":"8601","data":"x","id":"` + long + `"}`, "id has 257 bytes"},
		{`{"name":"a\u0000b","data":"x"}`, "without NUL"},
		{`{"name":"8601","data":"x","ttl":"soon"}`, `ttl "soon": must be a time such as 30s`},
		{`{"name":"8601","data":"x","ttl":"0s"}`, "ttl"},
		{`{"name":"8601","data":"x","ttl":"91d"}`, "at most 90d"},
		{`{"name":"8601","data":"x","when":"never"}`, "must be now or uplink"},
		{`{"name":"8601","data":"x","ack":"maybe"}`, "must be none, any, echo, pattern or sequence"},
		{`{"name":"8601","data":"x","ack":{"by":"any","after":"1s"}}`, "ack must be an object such as"},
		{`{"name":"8601","data":"x","ack":{"by":"any","timeout":"-1s"}}`, "ack.timeout"},
		{`{"name":"8601","data":"x","ack":{"by":"any","pattern":"x"}}`, "ack.pattern is for ack.by pattern"},
		{`{"name":"8601","data":"x","ack":{"by":"pattern","pattern":"("}}`, "ack.pattern: error parsing regexp"},
		{`{"name":"8601","data":"x","ack":{"by":"pattern"}}`, "a regular expression of 1 to 1024 bytes"},
		{`{"name":"8601","data":"x","fleet":"other"}`, "this link is that of fleet fleet"},
	} {
		answer := h.q.Request(t.Context(), "fleet", "web", []byte(test.line), func(line []byte) { t.Errorf("%s: later %s", test.line, line) })
		var got struct{ Error, ID string }
		if err := json.Unmarshal(answer, &got); err != nil || !strings.Contains(got.Error, test.words) || bytes.ContainsAny(answer, "\n\r") {
			t.Errorf("%s: answered %s; want an error that says %q", test.line, answer, test.words)
		}
	}
	if n := h.q.Counts().Kept; n != 0 {
		t.Errorf("%d are kept; want none", n)
	}
	answer := h.q.Request(t.Context(), "fleet", "web", []byte(`{"id":"7","name":"8601","date":"x"}`), nil)
	if !strings.HasPrefix(string(answer), `{"id":"7","error":"`) {
		t.Errorf("an error of a command with an id: %s", answer)
	}
}

func TestTheWebServerIsToldWhenItsCommandIsTakenAndWhenItIsOver(t *testing.T) {
	h := open(t)
	lines := make(chan string, 10)
	ask := func(line string) {
		t.Helper()
		if answer := h.q.Request(t.Context(), "fleet", "web", []byte(line), func(line []byte) { lines <- string(line) }); answer != nil {
			t.Fatalf("%s: %s", line, answer)
		}
	}
	next := func(want string) {
		t.Helper()
		select {
		case got := <-lines:
			if got != want {
				t.Errorf("told %s; want %s", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("told nothing; want %s", want)
		}
	}
	one := `{"name":"8601","data":"6F 6e 653b","encoding":"hex","id":"1","ttl":"1m","ack":"any"}`
	ask(one)
	next(`{"id":"1","state":"queued"}`)
	ask(one) // the line was lost, say
	next(`{"id":"1","state":"queued"}`)
	d := h.connect("8601")
	d.gets("one;")
	d.says("yes")
	for range 2 { // for each that asked
		next(`{"id":"1","state":"acknowledged","answer":"` + base64.StdEncoding.EncodeToString([]byte("yes")) + `"}`)
	}
	ask(one)
	next(`{"id":"1","state":"acknowledged","answer":"eWVz"}`)
	ask(`{"name":"8601","data":"two;","id":"1"}`)
	next(`{"id":"1","error":"the id is another command's: \"1\" of 8601 was taken with other data: choose another id, or ask for the same"}`)
	ask(`{"name":"8601","data":{"type":"Buffer","data":[50]},"encoding":"buffer","id":"2"}`)
	next(`{"id":"2","state":"queued"}`)
	next(`{"id":"2","state":"done"}`)
	d.gets("2")
	c, err := h.q.Get(context.Background(), command.Ref{Fleet: "fleet", Name: "8601", ID: "2"})
	if err != nil || c.By != "web" {
		t.Errorf("it is %+v, %v", c, err)
	}
}

func FuzzRequestsAreReadOrRefused(f *testing.F) {
	for _, seed := range []string{`{"name":"8601","data":"x"}`, `{"name":"8601","data":"7878","encoding":"hex","id":"1","ttl":"30s","when":"uplink","ack":{"by":"any"}}`,
		`{"name":"8601","data":[1,2],"encoding":"buffer","ack":"echo"}`, `{"name":null,"data":{"type":"Buffer","data":[1]},"encoding":"buffer"}`, `{`, `[]`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		req, err := command.Parse(line)
		if err != nil {
			return
		}
		p, err := command.Decode(req.Data, req.Encoding)
		if err != nil {
			return
		}
		for as, data := range map[device.Encoding]string{device.Hex: hex.EncodeToString(p), device.Base64: base64.StdEncoding.EncodeToString(p)} {
			again, err := command.Decode(json.RawMessage(fmt.Sprintf("%q", data)), as)
			if err != nil || !bytes.Equal(again, p) {
				t.Errorf("%q as %s comes back as %q, %v", p, as, again, err)
			}
		}
	})
}

func TestACommandThatIsAskedForAgainAndAgainIsToldOnlySoOften(t *testing.T) {
	h := open(t)
	lines := make(chan string, 100)
	line := []byte(`{"name":"8601","data":"x","id":"1"}`)
	for range 40 {
		h.q.Request(t.Context(), "fleet", "web", line, func(line []byte) { lines <- stateOf(line) })
		if got := <-lines; got != "queued" {
			t.Fatalf("told %s; want queued", got)
		}
	}
	waits := make(chan device.Command)
	go func() {
		c, _ := h.q.Await(t.Context(), command.Ref{ID: "1"})
		waits <- c
	}()
	h.connect("8601")
	if c := <-waits; c.State != device.Done {
		t.Errorf("who waits is told %s; want done", c.State)
	}
	told := 0
	h.ends(h.add(text("8601", "y")), device.Done)
	for told < command.MaxFollowers {
		if got := <-lines; got != "done" {
			t.Fatalf("told %s; want done", got)
		}
		told++
	}
	if len(lines) > 0 {
		t.Errorf("%d more were told", len(lines))
	}
}

func TestWhatIsNotOverIsFoundWithoutReadingAllHistory(t *testing.T) {
	h := open(t)
	for _, state := range []device.CommandState{device.Queued, device.Written} {
		if plan := h.q.Plan(t, command.Filter{State: state}); !strings.Contains(plan, "USING INDEX command_open") {
			t.Errorf("commands that are %s are found by %q", state, plan)
		}
	}
	if plan := h.q.Plan(t, command.Filter{Fleet: "fleet", Name: "8601"}); !strings.Contains(plan, "USING INDEX command_device") {
		t.Errorf("a device's commands are found by %q", plan)
	}
}
