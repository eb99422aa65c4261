package foreign_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/capture"
	"github.com/switchboard-relay/switchboard/foreign"
	"github.com/switchboard-relay/switchboard/session"
)

// ends are of a device and a server.
var ends = capture.Ends{netip.MustParseAddrPort("10.0.0.7:5000"), netip.MustParseAddrPort("10.0.0.1:9000")}

// captured writes a capture file.
func captured(write func(w *capture.Writer)) []byte {
	var out bytes.Buffer
	w := capture.NewWriter(&out, capture.About{Names: map[netip.Addr]string{ends[0].Addr(): "8601"}})
	write(w)
	w.Close(0)
	return out.Bytes()
}

func spool(t *testing.T) func() (foreign.Spool, error) {
	return func() (foreign.Spool, error) {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err == nil {
			t.Cleanup(func() { f.Close() })
		}
		return f, err
	}
}

const someday = 1_700_000_000_000_000

func TestACaptureIsARecordingOfEachConversation(t *testing.T) {
	file := captured(func(w *capture.Writer) {
		c := w.TCP(someday, ends, [2]uint32{})
		c.Data(someday+1000, capture.Client, []byte("ping"))
		w.UDP(ends).Data(someday+1500, capture.Client, nil)
		c.Data(someday+2000, capture.Server, []byte("pong"))
		c.Missing(capture.Client, 7)
		c.Data(someday+3000, capture.Client, []byte("more"))
		c.End(someday+4000, capture.Client)
		c.End(someday+5000, capture.Server)
	})
	all, err := foreign.OpenAll(bytes.NewReader(file), foreign.Options{Spool: spool(t)})
	if err != nil || all.Format != foreign.Capture || len(all.Tapes) != 2 || all.Ignored != 0 {
		t.Fatalf("got %+v, %v", all, err)
	}
	want := []string{`1000 received "ping"
2000 sent "pong"
3000 gap "{\"events\":0,\"bytes\":7,\"reason\":\"not captured\"}"
3000 received "more"
4000 received end ""
5000 sent end ""
5000 hung up`, `0 received ""
0 done`}
	for i, tape := range all.Tapes {
		about, got := tape.Header(), ""
		if about.Start != someday+int64(i)*1500 || about.Remote != "10.0.0.7:5000" || about.Local != "10.0.0.1:9000" || about.Title != "8601" ||
			about.Transport != []string{"tcp", "udp"}[i] {
			t.Errorf("header: %+v", about)
		}
		for {
			e, err := tape.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprintf("%d %s %q\n", e.Time, e.Kind, e.Data)
		}
		end := tape.End()
		if got += fmt.Sprintf("%d %s", end.Time, end.Cause); got != want[i] {
			t.Errorf("got\n%s\nwant\n%s", got, want[i])
		}
	}
}

func TestHowAConnectionEndedIsHowItsRecordingDoes(t *testing.T) {
	for want, end := range map[session.End]func(c *capture.TCP){
		{Cause: session.Done}:  func(c *capture.TCP) { c.End(someday, capture.Server); c.End(someday, capture.Client) },
		{Cause: session.Reset}: func(c *capture.TCP) { c.Reset(someday, capture.Client) },
		{Cause: session.Done, Detail: "its end was not captured"}: func(c *capture.TCP) { c.End(someday, capture.Client) },
	} {
		file := captured(func(w *capture.Writer) { end(w.TCP(someday, ends, [2]uint32{})) })
		all, err := foreign.OpenAll(bytes.NewReader(file), foreign.Options{Format: foreign.Capture, Spool: spool(t)})
		if err != nil {
			t.Fatal(err)
		}
		if got := all.Tapes[0].End(); got != want {
			t.Errorf("got %+v; want %+v", got, want)
		}
	}
}

func TestACaptureIsNoOneRecordingAndAnAsciicastHasNoPorts(t *testing.T) {
	file := captured(func(w *capture.Writer) { w.UDP(ends).Data(someday, capture.Client, nil) })
	var wrong *foreign.Error
	for _, f := range []foreign.Format{foreign.Unknown, foreign.Capture} {
		if _, err := foreign.Open(bytes.NewReader(file), f); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "many conversations") {
			t.Errorf("format %q: %v", f, err)
		}
	}
	if _, err := foreign.OpenAll(bytes.NewReader(file[:50]), foreign.Options{Spool: spool(t)}); !errors.As(err, &wrong) {
		t.Errorf("a capture that is cut: %v", err)
	}
	cast := `{"version":2,"width":80,"height":24}` + "\n"
	if _, err := foreign.OpenAll(strings.NewReader(cast), foreign.Options{Port: 7}); !errors.As(err, &wrong) {
		t.Errorf("a port of an asciicast: %v", err)
	}
	full := errors.New("full")
	if _, err := foreign.OpenAll(bytes.NewReader(file), foreign.Options{Spool: func() (foreign.Spool, error) { return nil, full }}); !errors.Is(err, full) {
		t.Errorf("without room: %v", err)
	}
}
