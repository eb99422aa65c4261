package main

import (
	"testing"
	"time"
)

func TestBytesAreWrittenShortly(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1000: "1.0 KiB", 1024: "1.0 KiB", 10 << 10: "10 KiB",
		1023 << 10: "1.0 MiB", 1536 << 10: "1.5 MiB", 20 << 30: "20 GiB", 1<<64 - 1: "16 EiB"} {
		if got := formatBytes(n); got != want {
			t.Errorf("formatBytes(%d): got %q, want %q", n, got, want)
		}
	}
}

func TestAgesAreWrittenByTheirLargestUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Second: "0ms", 250 * time.Millisecond: "250ms",
		42 * time.Second: "42s", 65 * time.Second: "1m05s", 61 * time.Minute: "1h01m",
		49 * time.Hour: "2d01h", 240 * time.Hour: "10d"} {
		if got := formatAge(d); got != want {
			t.Errorf("formatAge(%v): got %q, want %q", d, got, want)
		}
	}
}

func TestOffsetsAreWrittenAsAClock(t *testing.T) {
	for us, want := range map[int64]string{0: "0:00.000", 7_250_999: "0:07.250", 3723_000_000: "1:02:03.000",
		-5: "0:00.000"} {
		if got := formatOffset(us, true); got != want {
			t.Errorf("formatOffset(%d): got %q, want %q", us, got, want)
		}
	}
}

func TestMomentsAreTakenInTheFormsThatPeopleWrite(t *testing.T) {
	now := time.Date(2026, 11, 30, 18, 0, 0, 0, time.FixedZone("CST", 8*3600))
	for in, want := range map[string]string{
		"":                     "",
		"2h":                   "2h0m0s",
		"3d":                   "72h0m0s",
		"15:04":                "2026-11-30T07:04:00Z",
		"2026-11-29":           "2026-11-28T16:00:00Z",
		"2026-11-29 08:30":     "2026-11-29T00:30:00Z",
		"2026-11-29T08:30:00Z": "2026-11-29T08:30:00Z",
	} {
		got, err := parseMoment("since", in, now)
		if err != nil || got != want {
			t.Errorf("parseMoment(%q): got %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"yesterday", "-2h", "-3d", "2026-13-01", "d", "25:00"} {
		if got, err := parseMoment("since", in, now); err == nil {
			t.Errorf("parseMoment(%q): got %q, want an error", in, got)
		}
	}
}

func TestPlacesAreEventsOrTimesFromTheStart(t *testing.T) {
	cases := []struct {
		in     string
		number uint64
		offset time.Duration
	}{
		{"", 0, 0}, {"#12", 12, 0}, {"1m30s", 0, 90 * time.Second}, {"1:30", 0, 90 * time.Second},
		{"1:02:03.5", 0, 3723500 * time.Millisecond}, {"0:00", 0, 0},
	}
	for _, c := range cases {
		number, offset, err := parsePlace("--from", c.in)
		if err != nil || number != c.number || offset != c.offset {
			t.Errorf("parsePlace(%q): got %d, %v, %v, want %d, %v", c.in, number, offset, err, c.number, c.offset)
		}
	}
	for _, in := range []string{"#0", "#x", "12", "-5s", "1:99", "1:2:3:4", ":"} {
		if number, offset, err := parsePlace("--from", in); err == nil {
			t.Errorf("parsePlace(%q): got %d, %v, want an error", in, number, offset)
		}
	}
}
