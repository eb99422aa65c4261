package web_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/internal/npm"
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
