package frame_test

import (
	"testing"

	"github.com/switchboard-relay/switchboard/frame"
)

func TestARegistrationMayComeInPiecesOrWithDataRightBehindIt(t *testing.T) {
	d := dialect(t, "etung")
	for _, terminator := range []string{"\n", "\r", "\r\n", "#", ";", "\x00", "x", "7"} {
		login := "ETUNG:860000000000017" + terminator
		for cut := range len(login) {
			if terminator == "\r\n" && cut == len(login)-1 {
				continue // the line feed is then a message of its own
			}
			messages := feed(t, d.Reader(false), []byte(login[:cut]), []byte(login[cut:]), []byte("hello\n"))
			same(t, "cut registration", messages, []got{
				{data: login, kind: frame.Registration, name: "860000000000017", end: int64(len(login))},
				{data: "hello\n", start: int64(len(login)), end: int64(len(login)) + 6},
			})
		}
	}
	for _, terminator := range []string{"\n", "\r", "\r\n"} {
		login := "ETUNG:8617" + terminator
		messages := feed(t, d.Reader(false), []byte(login+"hello"))
		same(t, "data behind", messages, []got{
			{data: login, kind: frame.Registration, name: "8617", end: int64(len(login))},
			{data: "hello", start: int64(len(login)), end: int64(len(login)) + 5},
		})
	}
}
