package web_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/hub"
	"github.com/switchboard-relay/switchboard/internal/npm"
	"github.com/switchboard-relay/switchboard/threeend"
)

func TestTheStockClientIsAViewerByEveryTransport(t *testing.T) {
	const clients = "../socketio/clients"
	npm.Install(t, clients, false)
	h := open(t)
	c := h.call(h.listen("a"))
	c.say("hello")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "testdata/viewer.js", h.base, "vera", string(c.id))
	cmd.Env = append(os.Environ(), "NODE_PATH="+clients+"/node_modules")
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("viewer.js: %v\n%s", err, &failed)
	}
	const want = `{"refused":401,"name":"vera","reset":true,"row":"a","from":1,"stream":7,"said":["2 hello"],"wrong":404}` + "\n"
	if got := string(out); got != strings.Repeat(want, 3) {
		t.Errorf("by polling, websocket and both, the client heard\n%swant three times\n%s", got, want)
	}
}

func TestTheStockClientShowsASourcesSessionByEveryTransport(t *testing.T) {
	const clients = "../socketio/clients"
	npm.Install(t, clients, false)
	h, p := withPlant(t)
	const text = "é中😀𝄞 ok"
	go func() { // ends with the test
		for t.Context().Err() == nil {
			var viewed *line
			select {
			case viewed = <-p.asked:
			case <-t.Context().Done():
				return
			}
			viewed.Write(threeend.AppendView(nil, 100, 30))
			h.awaitWatcher()
			for _, b := range split(text) {
				stream := threeend.AppendFrame(threeend.AppendFrame(nil, threeend.Display, b), threeend.Input, b)
				for i := range stream {
					viewed.Write(stream[i : i+1])
				}
			}
			(<-p.asked).Write([]byte{'3'}) // a kick
			viewed.Write([]byte{'3'})
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "testdata/terminal.js", h.base, "otto", "ssh:42", text)
	cmd.Env = append(os.Environ(), "NODE_PATH="+clients+"/node_modules")
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("terminal.js: %v\n%s", err, &failed)
	}
	want := `{"size":"100x30","shown":true,"typed":"` + text + `","broken":0,"kicked":3,"end":[3,"会话已结束！","otto","seen"]}` + "\n"
	if got := string(out); got != strings.Repeat(want, 3) {
		t.Errorf("by polling, websocket and both, the client saw\n%swant three times\n%s", got, want)
	}
}

// awaitWatcher waits until a live session is followed, or the test is over.
func (h *house) awaitWatcher() {
	for followed := false; !followed && h.t.Context().Err() == nil; time.Sleep(time.Millisecond) {
		h.hub.EachLive(func(s *hub.Session) bool {
			followed = s.Watchers() > 0
			return !followed
		})
	}
}

func TestAsciinemasOwnProgramUploads(t *testing.T) {
	h := open(t)
	program, err := exec.LookPath("asciinema")
	if err != nil {
		t.Fatal("there is no asciinema: make deps installs it")
	}
	upload := func(file, id string) (string, error) {
		cmd := exec.CommandContext(t.Context(), program, "upload", file)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "LC_ALL=C.UTF-8", "ASCIINEMA_API_URL="+h.base, "ASCIINEMA_INSTALL_ID="+id)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := upload("../terminal/testdata/git.cast", "otto")
	list := h.list("state=recorded")
	if err != nil || len(list) != 1 || !strings.Contains(out, h.base+"/sessions/"+string(list[0].ID)) {
		t.Fatalf("it says %q, %v; recorded are %+v", out, err, list)
	}
	if out, err := upload("../terminal/testdata/git.cast", "nobody"); err == nil || !strings.Contains(out, "install ID") {
		t.Errorf("with a wrong token it says %q, %v", out, err)
	}
	if out, err := upload("stock_test.go", "otto"); err == nil || !strings.Contains(out, "neither an asciicast nor a ttyrec") {
		t.Errorf("of another file it says %q, %v", out, err)
	}
}
