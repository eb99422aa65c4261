package fleet

import (
	"net/netip"
	"testing"
	"time"
)

// A flood from more addresses than are told apart had all of them looked through for each connection, with the fleet's lock held:
// some milliseconds each, in which no device could come or go.
func TestAFloodFromManyAddressesHoldsUpNobody(t *testing.T) {
	var all addresses
	at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	now := time.Now().UnixMicro()
	for i := range maxAddresses {
		all.of(at(i)).take(1, now)
	}
	const more = 1500
	began := time.Now()
	for i := range more {
		if a := all.of(at(maxAddresses + i)); a != all.other && len(all.m) > maxAddresses {
			t.Fatalf("%d addresses are told apart; want %d", len(all.m), maxAddresses)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("%d connections of other addresses took %s; want a moment", more, took)
	}
	for _, a := range all.m {
		a.at -= (burst + 1) * 1e6
	}
	all.swept -= sweepEvery
	if a := all.of(at(maxAddresses + more)); a == all.other {
		t.Error("an address is not told apart though the others have been quiet for long")
	}
}
