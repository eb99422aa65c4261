package terminal

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"testing"

	"github.com/switchboard-relay/switchboard/internal/npm"
)

// oracle is xterm.js in a process of Node, with any number of terminals in it (oracle/oracle.mjs).
type oracle struct {
	t     testing.TB
	in    *bufio.Writer
	enc   *json.Encoder
	out   *json.Decoder
	next  int
	alive map[int]bool
}

type oracleOp struct {
	Op   string `json:"op"`
	To   []int  `json:"to"`
	Cols int    `json:"cols,omitempty"`
	Rows int    `json:"rows,omitempty"`
	Data []byte `json:"data,omitempty"`
}

func startOracle(t testing.TB) *oracle {
	t.Helper()
	npm.Install(t, "oracle", false)
	cmd := exec.Command("node", "oracle/oracle.mjs")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs := &tail{}
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the oracle ended: %v\n%s", err, errs.p)
		}
	})
	w := bufio.NewWriterSize(in, 1<<16)
	return &oracle{t: t, in: w, enc: json.NewEncoder(w), out: json.NewDecoder(bufio.NewReaderSize(out, 1<<16)),
		alive: map[int]bool{}}
}

func (o *oracle) do(op oracleOp) {
	if len(op.To) == 0 {
		return
	}
	if err := o.enc.Encode(op); err != nil {
		o.t.Fatal(err)
	}
}

func (o *oracle) open(cols, rows int) int {
	o.next++
	o.alive[o.next] = true
	o.do(oracleOp{Op: "open", To: []int{o.next}, Cols: cols, Rows: rows})
	return o.next
}

func (o *oracle) write(p []byte, to ...int) { o.do(oracleOp{Op: "write", To: to, Data: p}) }

func (o *oracle) resize(cols, rows int, to ...int) {
	o.do(oracleOp{Op: "resize", To: to, Cols: cols, Rows: rows})
}

func (o *oracle) close(to ...int) { o.do(oracleOp{Op: "close", To: to}) }

func (o *oracle) state(id int) *view {
	o.t.Helper()
	o.do(oracleOp{Op: "state", To: []int{id}})
	if err := o.in.Flush(); err != nil {
		o.t.Fatal(err)
	}
	s := &view{}
	if err := o.out.Decode(s); err != nil {
		if err == io.EOF {
			o.t.Fatal("the oracle has ended")
		}
		o.t.Fatal(err)
	}
	return s
}

// tail keeps the end of what is written.
type tail struct{ p []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.p = append(t.p, p...)
	t.p = t.p[max(0, len(t.p)-4096):]
	return len(p), nil
}
