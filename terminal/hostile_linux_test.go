package terminal

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// maxWrite is how long a Write of 64 KiB may take, whatever it says.
const maxWrite = 20 * time.Millisecond

// hostile is what costs much where it is done as it says.
var hostile = map[string]string{
	"REP":               "a\x1b[1000000000b",
	"REP of wide":       "字\x1b[1000000000b",
	"REP of clusters":   "e\u0301\u0302\u0303\u0304\x1b[1000000000b",
	"REP inserting":     "\x1b[4ha\x1b[1000000000b",
	"REP without wraps": "\x1b[?7l字\x1b[1000000000b",
	"CHT":               "\x1b[3g\r\x1b[1000000000I",
	"CBT":               "\x1b[999C\x1b[1000000000Z",
	"IL and DL":         "\x1b[H\x1b[1000000000L\x1b[1000000000M",
	"ICH and DCH":       "\x1b[1000000000@\x1b[1000000000P",
	"ICH of one":        "\r\x1b[@",
	"ECH":               "\x1b[1000000000X",
	"SU and SD":         "\x1b[1000000000S\x1b[1000000000T",
	"SL and SR":         "\x1b[1000000000 @\x1b[1000000000 A",
	"SR of one":         "\x1b[ A",
	"DECIC and DECDC":   "\x1b[1000000000'}\x1b[1000000000'~",
	"DECDC of one":      "\x1b['~",
	"ED":                "\x1b[2J",
	"DECSED":            "\x1b[1\"qa\x1b[?2J",
	"DECALN":            "\x1b#8",
	"DECALN and EL":     "\x1b#8\x1b[1K",
	"RIS":               "\x1bc",
	"alternate screens": "\x1b[?47h\x1b[?47l",
	"line feeds":        "\n",
	"reverse index":     "\x1b[H\x1bM",
	"colours of lines":  "\x1b[41;58;5;3;4:3mx\n\x1b[2;5r\x1b[44m",
	"saved cursors":     "\x1b7\x1b8",
	"parameters":        "\x1b[" + strings.Repeat("1;", 200) + "m",
	"subparameters":     "\x1b[4" + strings.Repeat(":1", 200) + "m",
	"an endless CSI":    "\x1b[" + strings.Repeat("1", 1<<16),
	"an endless OSC":    "\x1b]2;" + strings.Repeat("x", 1<<16),
	"an endless DCS":    "\x1bPq" + strings.Repeat("x", 1<<16),
	"titles":            "\x1b]2;" + strings.Repeat("x", 5000) + "\a",
	"links":             "\x1b]8;;http://a\ax",
	"long links":        "\x1b]8;;" + strings.Repeat("x", 2000) + "\ax",
	"marks":             "a" + strings.Repeat("\u0301", 1<<15),
	"malformed UTF-8":   "\xe0\x80\xff\xc0\xf5\x90",
	"halves":            "字\b \b\b字\x1b[D\x1b[@",
}

// different are those that make something new each time.
var different = map[string]func(i int) string{
	"underlines":   func(i int) string { return fmt.Sprintf("\x1b[4:3;58;2;%d;%d;%dmx", i>>16&0xff, i>>8&0xff, i&0xff) },
	"links":        func(i int) string { return fmt.Sprintf("\x1b]8;;%d\ax", i) },
	"named links":  func(i int) string { return fmt.Sprintf("\x1b]8;id=%d;%d\ax", i, i) },
	"long links":   func(i int) string { return fmt.Sprintf("\x1b]8;;%d%s\ax", i, strings.Repeat("y", 1900)) },
	"clusters":     func(i int) string { return fmt.Sprintf("%c\u0301%c", 0x4e00+i%20000, 0x300+i/20000%50) },
	"big clusters": func(i int) string { return fmt.Sprintf("%c%s", 0x4e00+i%20000, strings.Repeat("\u0301", 31)) },
	"titles":       func(i int) string { return fmt.Sprintf("\x1b]2;%d\a", i) },
}

// threadTime is the time that this thread has run, which is less than what passed where others run as well.
func threadTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestNothingThatIsWrittenTakesLong(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	texts := map[string][]byte{}
	for name, s := range hostile {
		texts[name] = bytes.Repeat([]byte(s), 1<<16/len(s)+1)[:1<<16]
	}
	for name, f := range different {
		var b bytes.Buffer
		for i := 0; b.Len() < 1<<16; i++ {
			b.WriteString(f(i))
		}
		texts["different "+name] = b.Bytes()[:1<<16]
	}
	full := strings.Repeat("\x1b[31;4:3mab漢", 140*40/4)
	slowest, which := time.Duration(0), ""
	for name, p := range texts {
		tm := New(140, 40)
		fmt.Fprint(tm, full)
		best := time.Hour
		for range max(1, 5/raceFactor) { // what else the machine does is not meant
			start := threadTime(t)
			tm.Write(p)
			best = min(best, threadTime(t)-start)
		}
		if best > slowest {
			slowest, which = best, name
		}
		if limit := maxWrite * raceFactor; best > limit {
			t.Errorf("%s: 64 KiB took %v; want at most %v", name, best, limit)
		}
		if got := tm.Bytes(); got > 4<<20 {
			t.Errorf("%s: the terminal holds %d bytes; want at most 4 MiB", name, got)
		}
		start := threadTime(t)
		New(140, 40).Write(tm.AppendSnapshot(nil))
		if d := threadTime(t) - start; d > 5*maxWrite*raceFactor {
			t.Errorf("%s: a snapshot and taking it took %v", name, d)
		}
	}
	t.Logf("the slowest 64 KiB are %q: %v", which, slowest)
}

func TestATerminalHoldsLessThan4MiB(t *testing.T) {
	if raceFactor > 1 {
		t.Skip("the race detector holds more")
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	tm := New(1000, 1000)
	grow := func() {
		for _, f := range different {
			for i := range 6000 {
				fmt.Fprint(tm, f(i))
			}
		}
		cols, rows := tm.Size()
		fmt.Fprint(tm, strings.Repeat("漢", cols*rows))
	}
	for _, size := range [][2]int{{500, 131}, {131, 500}, {500, 131}, {256, 256}} {
		grow()
		fmt.Fprint(tm, "\x1b[?47h")
		grow()
		tm.Resize(size[0], size[1])
	}
	fmt.Fprint(tm, "\x1b]2;", strings.Repeat("x", 1<<17))
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int(after.HeapAlloc) - int(before.HeapAlloc)
	t.Logf("the largest terminal, full of all that it may hold: %d bytes of heap, %d by its own account", held, tm.Bytes())
	if held > 4<<20 {
		t.Errorf("the terminal holds %d bytes; want at most 4 MiB", held)
	}
	runtime.KeepAlive(tm)
}

func TestWritingAllocatesNothingInTheLongRun(t *testing.T) {
	for _, name := range []string{"vim", "tmux", "top", "bash"} {
		cols, rows, p := castBytes(t, "testdata/"+name+".cast")
		tm := New(cols, rows)
		tm.Write(p)
		if n := testing.AllocsPerRun(5, func() { tm.Write(p) }); n > 16 {
			t.Errorf("%s: %v allocations for %d bytes; want next to none", name, n, len(p))
		}
	}
}
