package transport

import (
	"context"
	"os/exec"
	"strings"
	"testing"
)

// nodeClient sends messages of all sizes, one behind the other, and checks that they come back in order; then the
// server is asked to say goodbye to one connection, and the client says it to another.
const nodeClient = `
const url = process.argv[1];
const sizes = [0, 1, 125, 126, 4096, 16384, 65535, 65536, 1000000];
const want = [];
for (const size of sizes) {
  want.push("grün €😀 ".repeat(size).slice(0, Math.floor(size / 4)).toWellFormed());
  want.push(new Uint8Array(size).map((_, i) => i * 7));
}
const fail = why => { console.log(why); process.exit(1); };
const same = (a, b) => typeof b === "string" ? a === b
  : a instanceof ArrayBuffer && Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;
const first = new WebSocket(url);
first.binaryType = "arraybuffer";
let at = 0;
first.onerror = e => fail("error: " + e.message);
first.onopen = () => { for (const m of want) first.send(m); };
first.onmessage = e => {
  if (!same(e.data, want[at])) fail("message " + at + " is another");
  if (++at === want.length) first.send("close me");
};
first.onclose = e => {
  if (e.code !== 4001 || e.reason !== "as asked" || !e.wasClean) fail("closed: " + e.code + " " + e.reason);
  const second = new WebSocket(url);
  second.onopen = () => second.close(4002, "mine");
  second.onclose = e => {
    if (e.code !== 4002 || !e.wasClean) fail("answered: " + e.code);
    console.log("all well");
  };
};
`

func TestNodeUnderstandsUs(t *testing.T) {
	s := serve(t, false, WebSocketOptions{WriteLimit: 16 << 20}, func(s *WebSocket) error {
		for {
			err := s.ReceiveMessages(func(binary bool, p []byte) error {
				switch {
				case string(p) == "close me":
					return s.CloseWith(4001, "as asked")
				case binary:
					return s.Push(AppendFrame(nil, OpBinary, p))
				}
				return s.Push(AppendFrame(nil, OpText, p))
			})
			if err != nil {
				return err
			}
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "node", "--experimental-websocket", "-e", nodeClient, "ws"+s.address()).
		CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "all well\n") {
		t.Errorf("node: %v\n%s", err, out)
	}
}
