package switchboard

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// parseProxy reads an address or a network, as in 10.0.0.7 or 10.0.0.0/8.
func parseProxy(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return unmapped(p)
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no address and no network: write 127.0.0.1 or 10.0.0.0/8", text)
	}
	a = a.Unmap()
	return a.Prefix(a.BitLen())
}

// unmapped makes a network of IPv4 within IPv6 one of IPv4, as which its addresses are compared.
func unmapped(p netip.Prefix) (netip.Prefix, error) {
	switch {
	case !p.Addr().Is4In6():
		return p.Masked(), nil
	case p.Bits() < 96:
		return p, fmt.Errorf("%s is neither a network of IPv4 nor one of IPv6: write both", p)
	}
	return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked(), nil
}

// proxies are those whose X-Forwarded-For is believed.
type proxies []netip.Prefix

func newProxies(conf HTTPConfig) (list proxies) {
	for _, text := range conf.Proxies {
		if p, err := parseProxy(text); err == nil { // which was checked
			list = append(list, p)
		}
	}
	return list
}

func (l proxies) have(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range l {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// client is where a request comes from: its peer, or if that is a proxy, whom it names. What stands further left in
// X-Forwarded-For was written by somebody else, and may be a lie.
func (l proxies) client(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !l.have(peer.Addr()) {
		return r.RemoteAddr
	}
	client := r.RemoteAddr
	names := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(names) - 1; i >= 0; i-- {
		a, err := parseForwarded(strings.TrimSpace(names[i]))
		if err != nil {
			break
		}
		client = a.String()
		if !l.have(a) {
			break
		}
	}
	return client
}

// parseForwarded reads an address; some proxies write its port too.
func parseForwarded(name string) (netip.Addr, error) {
	if p, err := netip.ParseAddrPort(name); err == nil {
		return p.Addr().Unmap(), nil
	}
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return a.Unmap(), err
}
