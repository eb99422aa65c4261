package fleet_test

import (
	"fmt"
	"testing"

	"github.com/switchboard-relay/switchboard/frame"
	"github.com/switchboard-relay/switchboard/service/fleet"
	"github.com/switchboard-relay/switchboard/session"
)

// teltonika devices say their IMEI first, and are answered 1, or 0 if they are not welcome.
func teltonika(t testing.TB) setting {
	t.Helper()
	dialect, err := frame.Compile(frame.Spec{Framers: frame.FramerSpecs{frame.Named("teltonika")}})
	must(t, err)
	return with(func(c *fleet.Config) { c.Dialect = dialect })
}

func TestADeviceThatIsRefusedIsToldSoInItsProtocol(t *testing.T) {
	for _, stored := range []bool{false, true} {
		t.Run(fmt.Sprintf("stored=%v", stored), func(t *testing.T) {
			h := newHouse(t, teltonika(t), with(func(c *fleet.Config) {
				c.AckStored, c.Duplicate, c.Unknown = stored, fleet.Refuse, fleet.Reject
				c.Known = func(name string) bool { return name == "356307042441013" }
			}))
			first := h.dial().say("\x00\x0f356307042441013")
			first.expect("\x01")
			second := h.dial().say("\x00\x0f356307042441013")
			second.expect("\x00")
			second.awaitEnd()
			stranger := h.dial().say("\x00\x0f356307042441099")
			stranger.expect("\x00")
			stranger.awaitEnd()
			for _, c := range []*far{second, stranger} {
				sum := h.ended(c.LocalAddr())
				if sum.Cause != session.Refused {
					t.Errorf("it ended as %s; want refused", sum.Cause)
				}
				if sum.SentBytes != 1 {
					t.Errorf("%d bytes sent are on its record; want the refusal", sum.SentBytes)
				}
			}
			h.counts(1)
		})
	}
}
