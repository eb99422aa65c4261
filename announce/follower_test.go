package announce

import (
	"testing"

	"github.com/switchboard-relay/switchboard/telnet"
)

// FuzzFollowing cuts what is shown anywhere, which must not matter, and ends it with what ends any sequence.
func FuzzFollowing(f *testing.F) {
	f.Add([]byte("\x1b]0;a\x07\x1b[1;2mx\xe6\xb8\xa9\x1bP+q\x1b\\"), 3, false)
	f.Add([]byte("\xff\xfb\x01\r\x00\xc2\x9b31m\xc2\x9dx\x1b]2;\xe6\xb8\xa9"), 14, true)
	f.Add([]byte("\x1b]0;a\x07 \x1bP\xc2\x9d0;b\x07\x1b\\ \xc2\x9d2;c\x07 \x1b[1m\x1b]7;d\x1b\\x"), 9, false)
	f.Fuzz(func(t *testing.T, shown []byte, at int, over bool) {
		var whole, cut follower
		if over {
			whole.telnet, cut.telnet = &telnet.Decoder{}, &telnet.Decoder{}
		}
		at = max(0, min(at, len(shown)))
		whole.follow(shown)
		cut.follow(shown[:at])
		cut.follow(shown[at:])
		if whole.between() != cut.between() || whole.title != cut.title || whole.titled != cut.titled || len(whole.command) > maxTitle+1 {
			t.Fatalf("%q, cut at %d: %+v and %+v", shown, at, whole, cut)
		}
		if !over {
			var stepped follower
			for _, b := range shown {
				stepped.step(b)
			}
			if stepped.between() != whole.between() || stepped.title != whole.title || stepped.titled != whole.titled {
				t.Fatalf("%q: %+v, and byte by byte %+v", shown, whole, stepped)
			}
		}
		if over {
			whole.follow([]byte("\xff\xf0\xff\xf1")) // ends a subnegotiation, a verb, or is one by itself
		}
		if whole.follow([]byte("xx\x18x")); !whole.between() {
			t.Fatalf("behind %q it is still within %+v", shown, whole)
		}
	})
}
