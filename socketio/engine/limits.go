package engine

import (
	"crypto/sha256"
	"net"
	"net/netip"
	"sync"
	"time"
)

// bucket holds tokens that come at a rate. Times are those of Server.now.
type bucket struct {
	tokens float64
	at     time.Duration // when tokens was right
}

func (b *bucket) fill(now time.Duration, rate, burst float64) {
	if now > b.at {
		b.tokens = min(burst, b.tokens+(now-b.at).Seconds()*rate)
		b.at = now
	}
}

// take takes a token if there is one.
func (b *bucket) take(now time.Duration, rate, burst float64) bool {
	b.fill(now, rate, burst)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// place is an address that connections come from.
type place struct {
	address netip.Addr
	count   int
	bucket  bucket
}

// places bounds what comes from one address.
type places struct {
	most        int // at once; negative: no limit
	rate, burst float64
	room        int // of the table

	mu     sync.Mutex
	table  map[netip.Addr]*place
	swept  time.Duration
	others place // those that the table has no room for share one
}

// sparePlaces is how many places there may be besides those of as many connections as there may be.
const sparePlaces = 1 << 16

func newPlaces(most int, rate float64, connections int) *places {
	p := &places{most: most, rate: rate, burst: 10 * rate, table: map[netip.Addr]*place{}}
	p.room = max(0, connections) + sparePlaces
	p.others.bucket.tokens = p.burst
	return p
}

// address is what the limits know a remote address by: without its port, an IPv6 one as its network of 64 bits, and
// what is no IP address by its hash.
func address(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		sum := sha256.Sum256([]byte(host))
		return netip.AddrFrom16([16]byte(sum[:16]))
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		network, _ := a.Prefix(64) // no error: it is an IPv6 address
		return network.Addr()
	}
	return a
}

// enter counts a new connection. It returns why it is refused, or its place, which the connection leaves at its end.
func (p *places) enter(remote string, now time.Duration) (*place, *refusal) {
	a := address(remote)
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.find(a, now)
	if p.most >= 0 && at.count >= p.most {
		return nil, refusedAddress
	}
	if p.rate >= 0 && !at.bucket.take(now, p.rate, p.burst) {
		return nil, refusedRate
	}
	at.count++
	return at, nil
}

// try takes a token for a request that is no new connection, but costs as much as one.
func (p *places) try(remote string, now time.Duration) bool {
	a := address(remote)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rate < 0 || p.find(a, now).bucket.take(now, p.rate, p.burst)
}

// find finds or makes a place; p.mu is held.
func (p *places) find(a netip.Addr, now time.Duration) *place {
	if at := p.table[a]; at != nil {
		return at
	}
	if len(p.table) >= p.room {
		p.sweep(now)
	}
	if len(p.table) >= p.room {
		return &p.others
	}
	at := &place{address: a, bucket: bucket{tokens: p.burst, at: now}}
	p.table[a] = at
	return at
}

// sweep forgets the places that are like new, at most once a second; p.mu is held.
func (p *places) sweep(now time.Duration) {
	if now-p.swept < time.Second {
		return
	}
	p.swept = now
	for a, at := range p.table {
		if at.count > 0 {
			continue
		}
		if at.bucket.fill(now, p.rate, p.burst); p.rate < 0 || at.bucket.tokens >= p.burst {
			delete(p.table, a)
		}
	}
}

// leave ends what enter began.
func (p *places) leave(at *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at.count--
	if at.count == 0 && p.rate < 0 && at != &p.others {
		delete(p.table, at.address)
	}
}

// tidy is called now and then.
func (p *places) tidy(now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep(now)
}
