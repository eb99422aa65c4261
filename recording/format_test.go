package recording

import (
	"bytes"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/session"
)

// exampleFile is the file of the worked example: one record of one event, index, summary, trailer.
func exampleFile() []byte {
	payload := make([]byte, eventHeader+2)
	putEventHeader(payload, session.Received, 2, 0)
	copy(payload[eventHeader:], "hi")
	h := header{payloadCRC: checksum(payload), length: 10, raw: 10, count: 1, first: 2, t0: 1700000000000000,
		t1: 1700000000000000, flags: flagPassed, passed: passed{received: 2}, id: "4tq9m2xk7bfd-n1"}
	w := sealWriter{buf: []byte(sealedMagic)}
	at := w.at()
	record := make([]byte, headerSize)
	h.put(record)
	w.buf = append(append(w.buf, record...), payload...)
	indexAt := w.at()
	w.buf = appendIndex(w.buf, []indexEntry{{id: h.id, ref: chunkRef{off: at, length: headerSize + h.length,
		count: h.count, first: h.first, t0: h.t0, span: spanOf(h.t0, h.t1), flags: h.flags,
		passed: h.passed}}})
	indexLen := int(w.at() - indexAt)
	return appendTrailer(append(w.buf, "{}"...), indexAt, indexLen, []byte("{}"))
}

func TestTheExampleInTheDocumentIsWhatTheCodeWrites(t *testing.T) {
	text, err := os.ReadFile("../docs/recording-format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(text), "```hex\n")
	example, _, closed := strings.Cut(example, "```")
	if !found || !closed {
		t.Fatal("the document has no hex block")
	}
	var said []byte
	for _, line := range strings.Split(example, "\n") {
		line = regexp.MustCompile(`^\s*[0-9]+:|#.*`).ReplaceAllString(line, "")
		b, err := hex.DecodeString(strings.Join(strings.Fields(line), ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		said = append(said, b...)
	}
	if want := exampleFile(); !bytes.Equal(said, want) {
		t.Errorf("the document says\n%x\nand the code writes\n%x", said, want)
	}
}
