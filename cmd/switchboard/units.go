package main

import (
	"fmt"
	"strings"
	"time"
)

// formatBytes writes a count of bytes in four or five columns: 999 B, 1.0 KiB, 12 MiB.
func formatBytes(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	v := float64(n) / 1024
	for len(units) > 1 && v >= 999.5 {
		v /= 1024
		units = units[1:]
	}
	if v < 9.95 {
		return fmt.Sprintf("%.1f %s", v, units[0])
	}
	return fmt.Sprintf("%.0f %s", v, units[0])
}

// formatAge writes a duration by its two largest units: 250ms, 42s, 3m12s, 1h05m, 3d04h, 12d.
func formatAge(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d < 10*24*time.Hour:
		return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// formatOffset writes an offset from a session's start: 0:07.250, 1:02:03.000; without fraction 0:07.
func formatOffset(us int64, fraction bool) string {
	us = max(us, 0)
	s := us / 1e6
	var b strings.Builder
	if s >= 3600 {
		fmt.Fprintf(&b, "%d:%02d:%02d", s/3600, s/60%60, s%60)
	} else {
		fmt.Fprintf(&b, "%d:%02d", s/60, s%60)
	}
	if fraction {
		fmt.Fprintf(&b, ".%03d", us/1000%1000)
	}
	return b.String()
}

// parseMoment reads what --since and --until take: a duration ago (2h, 3d), a date, a date and time, or RFC 3339. It
// returns what the REST interface takes.
func parseMoment(flag, s string, now time.Time) (string, error) {
	if s == "" {
		return "", nil
	}
	if days, found := strings.CutSuffix(s, "d"); found {
		var n int
		if _, err := fmt.Sscanf(days, "%d", &n); err == nil && fmt.Sprint(n) == days && n >= 0 {
			return (time.Duration(n) * 24 * time.Hour).String(), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return d.String(), nil
	}
	layouts := []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04", time.DateOnly}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t.UTC().Format(time.RFC3339Nano), nil
		}
	}
	for _, layout := range []string{time.TimeOnly, "15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			y, m, d := now.Date()
			t = time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, now.Location())
			return t.UTC().Format(time.RFC3339Nano), nil
		}
	}
	return "", badUsage("--%s %q: must be a time ago (2h, 3d), a time of today (15:04), a date (2026-11-30), "+
		"or both (\"2026-11-30 15:04\")", flag, s)
}
