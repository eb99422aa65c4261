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
