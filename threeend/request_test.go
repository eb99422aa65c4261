package threeend_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/switchboard-relay/switchboard/threeend"
)

func TestARequestIsReadAsItIsWritten(t *testing.T) {
	for _, id := range []string{"42", "ssh & [sessionid]=x", "中文", strings.Repeat("a", threeend.MaxID)} {
		for _, kick := range []bool{false, true} {
			b := threeend.AppendRequest(nil, kick, id)
			want := threeend.Request{Kick: kick, ID: id}
			if r, more, err := threeend.ParseRequest(b); r != want || more || err != nil {
				t.Errorf("%q: got %+v, %v, %v; want %+v", b, r, more, err, want)
			}
			want.Ended = true
			for _, end := range []string{"\n", "\r\n", "\x00", "\x00 and what ever"} {
				if r, more, err := threeend.ParseRequest(append(b, end...)); r != want || more || err != nil {
					t.Errorf("%q%q: got %+v, %v, %v; want %+v", b, end, r, more, err, want)
				}
			}
			for i := range len("[flag]=0&[sessionid]=") + 1 {
				if _, more, err := threeend.ParseRequest(b[:i]); !more || err != nil {
					t.Errorf("%q: got more %v, %v; want more", b[:i], more, err)
				}
			}
		}
	}
	if got := string(threeend.AppendRequest(nil, false, "SID")); got != "[flag]=0&[sessionid]=SID" {
		t.Errorf("got %q", got)
	}
	if n := len(threeend.AppendRequest(nil, true, strings.Repeat("a", threeend.MaxID))); n != threeend.MaxRequest {
		t.Errorf("got %d bytes, want MaxRequest, %d", n, threeend.MaxRequest)
	}
}

func TestAWrongRequestIsRefusedAsSoonAsItIs(t *testing.T) {
	for _, text := range []string{"G", "GET / HTTP/1.1\r\n", "[flag]=2", "[flag]=0&[sessionid]:", "flag=0", "[flag]=0&[sessionid]=\n", "\n", "[flag]=10&",
		"[flag]=0&[sessionid]=a\x1b[m"} {
		if r, more, err := threeend.ParseRequest([]byte(text)); more || !errors.Is(err, threeend.ErrBadRequest) {
			t.Errorf("%q: got %+v, %v, %v; want ErrBadRequest", text, r, more, err)
		}
	}
	if _, more, err := threeend.ParseRequest(threeend.AppendRequest(nil, false, strings.Repeat("a", threeend.MaxID+1))); more || err == nil {
		t.Errorf("an id that is too long: got %v, %v; want an error", more, err)
	}
}

// FuzzParseRequest holds that what is no beginning of a request becomes none, and that what is read is written the same.
func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{"[flag]=0&[sessionid]=42", "[flag]=1&[sessionid]=42\n", "[fl", "[flag]=0&[sessionid]=", "x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, more, err := threeend.ParseRequest(b)
		if err == nil && !more && !strings.HasPrefix(string(b), string(threeend.AppendRequest(nil, r.Kick, r.ID))) {
			t.Fatalf("%q: got %+v", b, r)
		}
		for i := range b {
			if _, _, before := threeend.ParseRequest(b[:i]); before != nil && err == nil {
				t.Fatalf("%q is refused, %q is not", b[:i], b)
			}
		}
	})
}
