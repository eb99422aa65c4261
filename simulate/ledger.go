package simulate

import (
	"bytes"
	"slices"
)

// Ledger is what a receiver writes down of the messages of simulated devices, to tell whether any is missing, came twice, or
// not in its order. It is for one goroutine.
type Ledger struct {
	Each func(Mark) // is called with every mark that comes; nil: nobody is told

	devices map[string]*page
	total   LedgerCounts
}

// LedgerCounts is what a ledger has found.
type LedgerCounts struct {
	Messages   uint64 `json:"messages"`   // different ones
	Duplicates uint64 `json:"duplicates"` // that were there already
	Disordered uint64 `json:"disordered"` // that came behind a later one of their device, and were not there yet
}

// page is what is known of one device.
type page struct {
	runs  []run  // that came, in order, with gaps between them
	carry []byte // the beginning of a message
}

// run is numbers from first to last.
type run struct{ first, last uint64 }

// NewLedger makes an empty ledger.
func NewLedger() *Ledger { return &Ledger{devices: map[string]*page{}} }

// Take takes bytes that a device has sent, as they were cut by whoever delivers them: a message, several, or parts of some.
func (l *Ledger) Take(device string, p []byte) {
	of := l.page(device)
	if len(of.carry) > 0 {
		p = append(of.carry, p...)
	}
	rest := ParseAll(p, l.add)
	of.carry = nil
	if rest > 0 {
		of.carry = bytes.Clone(p[len(p)-rest:])
	}
}

// TakeMessage takes a message that is whole, and reports whether it has a mark.
func (l *Ledger) TakeMessage(p []byte) bool {
	m, ok := Parse(p)
	if ok {
		l.add(m)
	}
	return ok
}

// Counts are those of all devices.
func (l *Ledger) Counts() LedgerCounts { return l.total }

// Devices is how many devices something came from.
func (l *Ledger) Devices() int { return len(l.devices) }

func (l *Ledger) page(name string) *page {
	of := l.devices[name]
	if of == nil {
		of = &page{}
		l.devices[name] = of
	}
	return of
}

func (l *Ledger) add(m Mark) {
	if l.Each != nil {
		l.Each(m)
	}
	of := l.devices[string(m.Name)]
	if of == nil {
		of = l.page(string(m.Name))
	}
	n := m.Number
	if last := len(of.runs) - 1; last < 0 || n > of.runs[last].last {
		l.total.Messages++
		if last >= 0 && n == of.runs[last].last+1 {
			of.runs[last].last = n
		} else {
			of.runs = append(of.runs, run{n, n})
		}
		return
	}
	i, found := slices.BinarySearchFunc(of.runs, n, func(r run, n uint64) int {
		switch {
		case r.last < n:
			return -1
		case r.first > n:
			return 1
		}
		return 0
	})
	if found {
		l.total.Duplicates++
		return
	}
	l.total.Messages++
	l.total.Disordered++
	of.runs = slices.Insert(of.runs, i, run{n, n})
	if i+1 < len(of.runs) && of.runs[i+1].first == n+1 {
		of.runs[i].last = of.runs[i+1].last
		of.runs = slices.Delete(of.runs, i+1, i+2)
	}
	if i > 0 && of.runs[i-1].last == n-1 {
		of.runs[i-1].last = of.runs[i].last
		of.runs = slices.Delete(of.runs, i, i+1)
	}
}

// missing calls each with the numbers from first to last that are not in the ledger, run by run.
func (l *Ledger) missing(device string, first, last uint64, each func(first, last uint64)) {
	var runs []run
	if of := l.devices[device]; of != nil {
		runs = of.runs
	}
	for _, r := range runs {
		if r.last < first {
			continue
		}
		if r.first > last {
			break
		}
		if r.first > first {
			each(first, r.first-1)
		}
		first = r.last + 1
	}
	if first <= last {
		each(first, last)
	}
}
