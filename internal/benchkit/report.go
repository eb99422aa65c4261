//go:build linux

package benchkit

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Row is one figure of a report. Ours and Peer hold it for each round; the table shows their medians, and of the ratio,
// which is taken round by round, also the least and the greatest.
type Row struct {
	Name     string
	Ours     Series
	Peer     Series // empty if there is none
	PeerName string
	Unit     Unit
	Target   Target
}

// Report collects what a run found.
type Report struct {
	bench *Bench
	start time.Time
	rows  []Row
	notes []string
	quiet bool
}

func newReport(b *Bench) *Report {
	r := &Report{bench: b, start: time.Now()}
	info, err := os.Stderr.Stat()
	r.quiet = err != nil || info.Mode()&os.ModeCharDevice == 0
	return r
}

// Add adds a figure.
func (r *Report) Add(row Row) { r.rows = append(r.rows, row) }

// Note adds a sentence under the table: how something was measured, or what was seen besides.
func (r *Report) Note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// Skip says that a peer is missing, and what to do about it.
func (r *Report) Skip(peer, mend string) { r.Note("%s: not compared, %s", peer, mend) }

// Progress says on a terminal what is being measured; it is silent in a pipe.
func (r *Report) Progress(format string, args ...any) {
	if !r.quiet {
		fmt.Fprintf(os.Stderr, "\r\033[K%5.1f s  %s", time.Since(r.start).Seconds(), fmt.Sprintf(format, args...))
	}
}

// Unit writes a figure for people.
type Unit func(float64) string

// Units of figures. Their values are: bytes, bytes per second, seconds, a number, a number per second, a share of 1.
var (
	Bytes      Unit = func(v float64) string { return fmt.Sprintf("%s B", grouped(v)) }
	MiB        Unit = func(v float64) string { return fmt.Sprintf("%.1f MiB", v/(1<<20)) }
	MB         Unit = func(v float64) string { return fmt.Sprintf("%.1f MB", v/1e6) }
	GBPerSec   Unit = func(v float64) string { return fmt.Sprintf("%.2f GB/s", v/1e9) }
	Micros     Unit = func(v float64) string { return fmt.Sprintf("%.1f µs", v*1e6) }
	Millis     Unit = func(v float64) string { return fmt.Sprintf("%.1f ms", v*1e3) }
	Seconds    Unit = func(v float64) string { return fmt.Sprintf("%.2f s", v) }
	Number     Unit = grouped
	Decimal    Unit = func(v float64) string { return fmt.Sprintf("%.2f", v) }
	PerSecond  Unit = func(v float64) string { return grouped(v) + "/s" }
	PercentOf1 Unit = func(v float64) string { return fmt.Sprintf("%.2f %%", v*100) }
)

// grouped writes a whole number with a comma every three digits.
func grouped(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Target is what a figure should reach. The zero Target asks nothing.
type Target struct {
	text string
	met  func(ours, ratio float64) bool
}

// AtMost wants our figure to be no more than the limit.
func AtMost(limit float64, u Unit) Target {
	return Target{"≤ " + u(limit), func(ours, _ float64) bool { return ours <= limit }}
}

// AtLeast wants our figure to be no less than the limit.
func AtLeast(limit float64, u Unit) Target {
	return Target{"≥ " + u(limit), func(ours, _ float64) bool { return ours >= limit }}
}

// Exactly wants our figure to be that.
func Exactly(want float64, u Unit) Target {
	return Target{u(want), func(ours, _ float64) bool { return ours == want }}
}

// RatioAtMost wants ours divided by the peer's to be no more than the limit.
func RatioAtMost(limit float64) Target {
	return Target{fmt.Sprintf("≤ %.2f×", limit), func(_, ratio float64) bool { return ratio <= limit }}
}

// RatioAtLeast wants ours divided by the peer's to be no less than the limit.
func RatioAtLeast(limit float64) Target {
	return Target{fmt.Sprintf("≥ %.2f×", limit), func(_, ratio float64) bool { return ratio >= limit }}
}

// And wants both.
func (t Target) And(other Target) Target {
	return Target{t.text + ", " + other.text, func(o, r float64) bool { return t.met(o, r) && other.met(o, r) }}
}

func (row Row) cells() []string {
	peer, ratio, verdict := "–", "–", ""
	ratios := row.Ours.Over(row.Peer)
	if len(row.Peer) > 0 {
		peer = strings.TrimSpace(row.Unit(row.Peer.Median()) + " " + row.PeerName)
		if m := ratios.Median(); !math.IsNaN(m) && !math.IsInf(m, 0) {
			ratio = fmt.Sprintf("%.2f×", m)
		}
		if ratio != "–" && len(ratios) > 1 {
			ratio += fmt.Sprintf(" (%.2f–%.2f)", ratios.Min(), ratios.Max())
		}
	}
	switch {
	case len(row.Ours) == 0:
		return []string{row.Name, "–", peer, ratio, row.Target.text, "not measured"}
	case row.Target.met == nil:
	case strings.Contains(row.Target.text, "×") && len(row.Peer) == 0:
		verdict = "not compared"
	case row.Target.met(row.Ours.Median(), ratios.Median()):
		verdict = "reached"
	default:
		verdict = "MISSED"
	}
	return []string{row.Name, row.Unit(row.Ours.Median()), peer, ratio, row.Target.text, verdict}
}

func (r *Report) print(w io.Writer) {
	r.Progress("")
	if !r.quiet {
		fmt.Fprint(os.Stderr, "\r\033[K")
	}
	if len(r.rows) == 0 {
		return
	}
	fmt.Fprintf(w, "bench/%s: %s\n%s, %.0f s\n\n", r.bench.Name, r.bench.About, machine(), time.Since(r.start).Seconds())
	table := [][]string{{"figure", "ours", "peer", "ratio", "target", ""}}
	for _, row := range r.rows {
		table = append(table, row.cells())
	}
	widths := make([]int, len(table[0]))
	for _, cells := range table {
		for i, c := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, cells := range table {
		var line strings.Builder
		for i, c := range cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			if i == 1 {
				line.WriteString(pad + c + "  ")
			} else {
				line.WriteString(c + pad + "  ")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
	if len(r.notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, n := range r.notes {
		fmt.Fprintln(w, "- "+n)
	}
	fmt.Fprintln(w)
}

// machine says what the figures were taken on.
func machine() string {
	var u unix.Utsname
	unix.Uname(&u)
	return fmt.Sprintf("Linux %s, %d cores, %s, client and server on one machine",
		unix.ByteSliceToString(u.Release[:]), runtime.NumCPU(), runtime.Version())
}
