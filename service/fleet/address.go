package fleet

import (
	"net/netip"
	"time"
)

// addresses are the IP addresses that connections came from lately, with what each may still do. Of IPv6 it is the network of
// 64 bits, which is one customer's.
type addresses struct {
	m     map[netip.Addr]*address
	other *address // of all others, once there are too many
	swept int64    // when sweep looked last, Unix µs
}

// address is one of them.
type address struct {
	nameless int     // connections that have not said a name
	tokens   float64 // connections that it may make at once
	at       int64   // when tokens was right, Unix µs
}

// maxAddresses is how many addresses are told apart.
const maxAddresses = 65_536

// of is the address of an IP; the fleet's mu is held.
func (t *addresses) of(ip netip.Addr) *address {
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			ip = p.Addr()
		}
	}
	if a := t.m[ip]; a != nil {
		return a
	}
	if t.m == nil {
		t.m = map[netip.Addr]*address{}
	}
	if now := time.Now().UnixMicro(); len(t.m) >= maxAddresses && now-t.swept >= sweepEvery {
		t.swept = now
		t.sweep(now)
	}
	if len(t.m) >= maxAddresses {
		if t.other == nil {
			t.other = &address{at: -1}
		}
		return t.other
	}
	a := &address{at: -1}
	t.m[ip] = a
	return a
}

// sweepEvery is how often all addresses are looked at while there are too many, µs: it takes a while, and all others wait.
const sweepEvery = 1e6

// burst is for how many seconds an address may save up what connect_rate allows it.
const burst = 4

// sweep takes away those of which nothing needs to be known any more.
func (t *addresses) sweep(now int64) {
	for ip, a := range t.m {
		if a.nameless == 0 && now-a.at > burst*1e6 {
			delete(t.m, ip)
		}
	}
}

// take takes a connection from what the address may make.
func (a *address) take(rate float64, now int64) bool {
	most := max(1, burst*rate)
	if a.at < 0 {
		a.tokens = most
	} else {
		a.tokens = min(most, a.tokens+rate*float64(now-a.at)/1e6)
	}
	a.at = now
	if a.tokens < 1 {
		return false
	}
	a.tokens--
	return true
}

// mayCome tells which limit keeps a connection of an address out, before it is a session.
func (f *fleet) mayCome(conf *Config, ip netip.Addr) error {
	if !ip.IsValid() || conf.ConnectRate <= 0 && conf.MaxUnregistered <= 0 {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.addresses.of(ip)
	if conf.MaxUnregistered > 0 && a.nameless >= conf.MaxUnregistered {
		return errUnregistered
	}
	if conf.ConnectRate > 0 && !a.take(conf.ConnectRate, time.Now().UnixMicro()) {
		return errConnectRate
	}
	return nil
}
