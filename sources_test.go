package switchboard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard"
	"github.com/switchboard-relay/switchboard/index"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
)

// playSource answers who asks to see a session with a few bytes; a kick ends all, and is answered.
func playSource(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	over := make(chan struct{})
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, threeend.MaxRequest)
				n, _ := c.Read(b)
				r, _, err := threeend.ParseRequest(b[:n])
				if err != nil {
					return
				}
				if r.Kick {
					close(over)
					c.Write([]byte{'3'})
					return
				}
				c.Write(threeend.AppendFrame(threeend.AppendView(nil, 100, 30), threeend.Display, []byte("session "+r.ID)))
				gone := make(chan struct{})
				go func() { c.Read(b); close(gone) }()
				select {
				case <-over:
					c.Write([]byte{'3'})
				case <-gone:
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// post asks REST as the administrator.
func post(t *testing.T, sb *switchboard.Switchboard, path, body string) (status int, answer string) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(sb.Data(), "token"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest("POST", sb.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	b.ReadFrom(resp.Body)
	return resp.StatusCode, b.String()
}

func TestASourcesSessionIsOpenedKickedAndKept(t *testing.T) {
	dir, address := t.TempDir(), playSource(t)
	conf := switchboard.Config{Data: dir, HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"},
		Sources: []switchboard.SourceConfig{{Name: "plant", Kinds: map[string]string{"ssh": address}, Linger: "1m"}}}
	begin := func() *switchboard.Switchboard {
		t.Helper()
		sb, err := switchboard.New(conf, switchboard.WithLogger(slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { sb.Close() })
		return sb
	}
	sb := begin()
	status, body := post(t, sb, "/api/v1/sources/open", `{"session":"ssh:42"}`)
	var sum session.Summary
	if err := json.Unmarshal([]byte(body), &sum); err != nil || status != http.StatusCreated || sum.Name != "ssh:42" ||
		sum.Listener != "plant" || sum.Terminal != "100x30" || sum.State != session.Live {
		t.Fatalf("opened is %d %s", status, body)
	}
	status, body = post(t, sb, "/api/v1/sources/kick", `{"session":"plant/ssh:42","reason":"maintenance"}`)
	if status != http.StatusOK || !strings.Contains(body, `"code":3,"message":"会话已结束！"`) {
		t.Errorf("kicked is %d %s", status, body)
	}
	for range 2 {
		kept := sessions(t, sb, session.Recorded, 1)[0]
		if kept.ID != sum.ID || kept.Cause != session.Kicked || kept.By != "admin" || kept.Reason != "maintenance" || kept.Code != 3 ||
			kept.SentBytes != uint64(len("session 42")) {
			t.Errorf("kept is %+v", kept)
		}
		if err := sb.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "index.db")); err != nil { // it is made anew of the recordings
			t.Fatal(err)
		}
		sb = begin()
	}
}

func TestReloadBringsSourcesAndTakesThemAway(t *testing.T) {
	address := playSource(t)
	sb := start(t, t.TempDir())
	if status, body := post(t, sb, "/api/v1/sources/open", `{"session":"ssh:42"}`); status != http.StatusNotFound {
		t.Fatalf("without sources: %d %s", status, body)
	}
	conf := switchboard.Config{Data: sb.Data(), HTTP: switchboard.HTTPConfig{Listen: "127.0.0.1:0"}}
	with := conf
	with.Sources = []switchboard.SourceConfig{{Name: "plant", Kinds: map[string]string{"ssh": address}, Linger: "1m"}}
	if err := sb.Reload(with); err != nil {
		t.Fatal(err)
	}
	if status, body := post(t, sb, "/api/v1/sources/open", `{"session":"ssh:42"}`); status != http.StatusCreated {
		t.Fatalf("with one: %d %s", status, body)
	}
	live := sessions(t, sb, session.Live, 1)[0]
	if err := sb.Reload(conf); err != nil {
		t.Fatal(err)
	}
	ended := sessions(t, sb, session.Recorded, 1)[0]
	if ended.ID != live.ID || ended.Cause != session.Shutdown || ended.Detail != "its source was taken out of the configuration" || ended.Code != 5 {
		t.Errorf("it ended as %+v", ended)
	}
	as := conf // its name is a listener's now
	as.Listeners = []switchboard.ListenerConfig{{Name: "plant", Listen: "tcp://127.0.0.1:0", Service: "echo"}}
	for _, c := range []switchboard.Config{with, as, with} {
		if err := sb.Reload(c); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if list, err := sb.Hub().List(ctx, session.Live, index.Filter{}); err != nil || len(list) != 0 {
		t.Errorf("live are %v, %v", list, err)
	}
}
