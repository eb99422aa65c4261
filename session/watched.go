package session

import (
	"bytes"
	"unicode/utf8"
)

// Watch is the data of a Watched event: somebody joined a session or left it.
type Watch struct {
	By    string `json:"by"`
	Types bool   `json:"types,omitempty"` // may type along, and does not only look on
	Left  bool   `json:"left,omitempty"`  // no more
}

// AppendTyped appends the data of a Typed event: who typed, a zero byte, what was typed.
func AppendTyped(b []byte, by string, typed []byte) []byte {
	b = append(b, by...)
	return append(append(b, 0), typed...)
}

// SplitTyped is the inverse of AppendTyped; typed is a part of data. What has no zero byte was typed by nobody that is known.
func SplitTyped(data []byte) (by string, typed []byte) {
	name, typed, found := bytes.Cut(data, []byte{0})
	if !found {
		return "", data
	}
	return string(name), typed
}

// hasAuthor reports whether the data of a Typed event says by whom, in a way that JSON can hold.
func hasAuthor(data []byte) bool {
	end := bytes.IndexByte(data, 0)
	return end >= 0 && utf8.Valid(data[:end])
}
