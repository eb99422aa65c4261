// Command captures frames what capture files hold, cut in many ways, and checks that no way loses a byte or changes a message:
// go run ./bench/captures FILE... It fails if one does.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/switchboard-relay/switchboard/frame"
)

const usage = `Captures are not part of this repository. Those whose figures are in docs/benchmarks.md are in two others:

	git clone --depth 1 https://github.com/zeek/zeek
	git clone --depth 1 https://github.com/automayt/ICS-pcap

	go run ./bench/captures -dir zeek/testing/btest/Traces/modbus
	go run ./bench/captures ICS-pcap/S7/V13_1200*/*.pcapng
	go run ./bench/captures -preset line zeek/testing/btest/Traces/irc-*.pcap

Files that end with .gz are to be unpacked first.
`

// byPort are the framers of servers' ports, unless a flag says another.
var byPort = map[uint16]string{102: "tpkt", 502: "modbus-tcp"}

// wholes are the framers whose messages are the very bytes that came, and do not depend on how they came.
var wholes = []string{"gt06", "line", "modbus-rtu", "modbus-tcp", "teltonika", "tpkt"}

func main() {
	var s settings
	flag.StringVar(&s.preset, "preset", "", "a `framer` for the connections of TCP at all ports: "+strings.Join(wholes, ", ")+"\n(default tpkt at port 102, modbus-tcp at 502; other ports are left out)")
	flag.IntVar(&s.rounds, "rounds", 20, "the `number` of times that each flow is cut at random places")
	flag.Uint64Var(&s.seed, "seed", 1, "a `number` that the random places come from")
	dir := flag.String("dir", "", "a `folder`: all *.pcap and *.pcapng in it, and below")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage, "\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	files := flag.Args()
	if *dir != "" {
		found, err := capturesIn(*dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		files = append(files, found...)
	}
	if len(files) == 0 || s.rounds < 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(os.Stdout, files, s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func capturesIn(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err == nil && e.Type().IsRegular() && (ext == ".pcap" || ext == ".pcapng") {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

type settings struct {
	preset string
	rounds int
	seed   uint64
}

// framerOf is the name of a flow's framer, empty if it is left out.
func (s *settings) framerOf(f *flow) string {
	if s.preset != "" {
		return s.preset
	}
	return byPort[f.port]
}

// run checks files, and prints what is in each. Its error has all that is wrong with any.
func run(out io.Writer, files []string, s settings) error {
	if s.preset != "" && !slices.Contains(wholes, s.preset) {
		return fmt.Errorf("-preset %s: write one of %s", s.preset, strings.Join(wholes, ", "))
	}
	var errs []error
	var none []string
	checked := 0
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "file\tframer\tflows\tmessages\tbytes\tflows with flagged\tbytes flagged\tbytes left\tbytes not captured")
	for _, path := range files {
		tallies, err := checkFile(path, s)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
			continue
		}
		if len(tallies) == 0 {
			none = append(none, path)
		}
		for _, t := range tallies {
			checked++
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", filepath.Base(path), t.framer, t.flows, t.messages, t.bytes, t.spoiled, t.flagged, t.left, t.missing)
		}
	}
	table.Flush()
	if len(none) > 0 {
		fmt.Fprintf(out, "\nFiles in which nothing was said at a port that has a framer (-preset says one): %d, the first is %s\n", len(none), none[0])
	}
	if checked == 0 {
		errs = append(errs, errors.New("nothing was checked"))
	}
	if len(errs) == 0 {
		fmt.Fprintf(out, "\nEvery byte is accounted for, and each flow's messages are the same in all %d ways of cutting it.\n", ways+s.rounds)
	}
	return errors.Join(errs...)
}

// checkFile checks the flows of a file, and counts what is in them for each framer, in the order of names.
func checkFile(path string, s settings) ([]*tally, error) {
	flows, err := flowsOf(path)
	if err != nil {
		return nil, err
	}
	var tallies []*tally
	for _, f := range flows {
		name := s.framerOf(f)
		if name == "" {
			continue
		}
		i := slices.IndexFunc(tallies, func(t *tally) bool { return t.framer == name })
		if i < 0 {
			i, tallies = len(tallies), append(tallies, &tally{framer: name})
		}
		d, err := dialectOf(name)
		if err != nil {
			return nil, err
		}
		messages, err := check(f.segments, func() framer { r := d.Reader(false); return &r }, s.rounds, s.seed)
		if err != nil {
			return nil, fmt.Errorf("%s, by %s: %w", f.name, name, err)
		}
		tallies[i].add(f, messages)
	}
	slices.SortFunc(tallies, func(a, b *tally) int { return strings.Compare(a.framer, b.framer) })
	return tallies, nil
}

// dialectOf compiles a framer that keeps all bytes.
func dialectOf(name string) (*frame.Dialect, error) {
	spec := frame.Named(name)
	spec.Keep = name == "line"
	return frame.Compile(frame.Spec{Framers: frame.FramerSpecs{spec}})
}

// tally is what a file's flows have that one framer cuts.
type tally struct {
	framer   string
	flows    int
	messages int   // with nothing wrong
	bytes    int64 // of all, whatever they are
	spoiled  int   // flows with something that is flagged
	flagged  int64 // bytes of junk, and of messages with something wrong
	left     int64 // bytes of a message that was not whole at the end
	missing  uint64
}

func (t *tally) add(f *flow, messages []message) {
	t.flows++
	t.missing += f.missing
	flagged := t.flagged
	for _, m := range messages {
		n := m.end - m.start
		t.bytes += n
		switch {
		case m.kind != frame.Junk && m.flags == frame.Cut:
			t.left += n
		case m.kind == frame.Junk || m.flags != 0:
			t.flagged += n
		default:
			t.messages++
		}
	}
	if t.flagged > flagged {
		t.spoiled++
	}
}
