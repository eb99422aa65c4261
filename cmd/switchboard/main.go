// Command switchboard serves sessions, and lists, watches, kicks and plays them back from the command line.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands is the whole command line; each field is one command, in a file of its own.
type commands struct {
	Serve    ServeCmd    `cmd:"" help:"Run the server."`
	Run      RunCmd      `cmd:"" help:"Run a program in a terminal here, and record it."`
	Check    CheckCmd    `cmd:"" help:"Say what a configuration means, or what is wrong with it and where."`
	Config   ConfigCmd   `cmd:"" help:"Print a configuration to start from."`
	Console  ConsoleCmd  `cmd:"" help:"Print a link that signs in to the web console."`
	Ls       LsCmd       `cmd:"" help:"List sessions, live and recorded."`
	Watch    WatchCmd    `cmd:"" help:"Follow a session: what was before, then what comes."`
	Join     JoinCmd     `cmd:"" help:"Type along in a live session's terminal, or look on."`
	Kick     KickCmd     `cmd:"" help:"End live sessions."`
	Send     SendCmd     `cmd:"" help:"Send bytes to the far end of a live session."`
	Devices  DevicesCmd  `cmd:"" help:"List devices, admit them or forget them."`
	Device   DeviceCmd   `cmd:"" help:"Show a device: its state, its connections, what it said last."`
	Messages MessagesCmd `cmd:"" help:"Show what a device said, message by message."`
	Command  CommandCmd  `cmd:"" help:"Tell a device something, now or when it is there."`
	Commands CommandsCmd `cmd:"" help:"List what devices are to be told, and what became of it."`
	Sources  SourcesCmd  `cmd:"" help:"List the sources whose sessions can be opened."`
	Forwards ForwardsCmd `cmd:"" help:"List where messages of devices go, and how far that is."`
	Rooms    RoomsCmd    `cmd:"" help:"List rooms, or one room's members."`
	Say      SayCmd      `cmd:"" help:"Say something to a room."`
	Play     PlayCmd     `cmd:"" help:"Play a session back in its own time."`
	Replay   ReplayCmd   `cmd:"" help:"Say to a server what a session's far end said, and compare its answers."`
	Screen   ScreenCmd   `cmd:"" help:"Show what a session's terminal shows, now or at any moment."`
	Find     FindCmd     `cmd:"" help:"Find what passed in a session."`
	Export   ExportCmd   `cmd:"" help:"Write a session's bytes or events to a file."`
	Import   ImportCmd   `cmd:"" help:"Make recordings of files that other programs wrote."`
	Note     NoteCmd     `cmd:"" help:"Write a note about a session, or about a moment of it."`
	Notes    NotesCmd    `cmd:"" help:"List a session's notes."`
	Pin      PinCmd      `cmd:"" help:"Keep recordings from being removed."`
	Unpin    UnpinCmd    `cmd:"" help:"Let retention remove recordings again."`
	Rm       RmCmd       `cmd:"" help:"Remove recordings."`
	Connect  ConnectCmd  `cmd:"" help:"Connect to a listener as a client, and again when the connection breaks."`
	Source   SourceCmd   `cmd:"" help:"Be a source of sessions, for trying the three ends out."`
	Verify   VerifyCmd   `cmd:"" help:"Check every recording of a data folder for damage."`
	Version  VersionCmd  `cmd:"" help:"Print the version."`

	Simulate     SimulateCmd     `cmd:"" help:"Be a fleet of devices, for trying a server out."`
	HashPassword HashPasswordCmd `cmd:"" help:"Print the hash of a password, for a configuration."`
}

// stdio is what a command reads and writes. A member that is a terminal is an *os.File.
type stdio struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// note tells the person at the terminal something that is neither output nor failure.
func (s *stdio) note(format string, args ...any) {
	fmt.Fprintf(s.err, "switchboard: "+format+"\n", args...)
}

// usageError is a wrong use of the command line that only the command itself could see.
type usageError struct{ error }

func badUsage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns the program's exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	std := &stdio{in: stdin, out: stdout, err: stderr}
	exited := -1
	var cli commands
	parser, err := kong.New(&cli, kong.Name("switchboard"), kong.Writers(stdout, stderr),
		kong.Description("Every connection is a session: seen, recorded, watched, kicked, played back."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.ExplicitGroups(nil),
		kong.Exit(func(code int) { exited = code; panic(errExit) }),
		kong.Bind(std), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		std.note("%v", err)
		return exitFailed
	}
	parsed, err := parse(parser, args)
	switch {
	case exited >= 0:
		return exited
	case err != nil:
		std.note("%s", oneLine(err)+usageHint(err))
		return exitUsage
	}
	err = parsed.Run()
	var usage usageError
	var exit *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		if exit.err != nil {
			std.note("%s", oneLine(exit.err))
		}
		return exit.code
	case errors.As(err, &usage):
		std.note("%s", oneLine(err))
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		std.note("stopped before it was done")
		return exitFailed
	}
	std.note("%s", oneLine(err))
	return exitFailed
}

// errExit carries the exit that kong asks for, after printing help, out of its parser.
var errExit = errors.New("exit")

func parse(parser *kong.Kong, args []string) (ctx *kong.Context, err error) {
	defer func() {
		if r := recover(); r != nil && r != errExit {
			panic(r)
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	return parser.Parse(args)
}

func usageHint(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		return fmt.Sprintf(` (see "switchboard %s --help")`, parse.Context.Selected().Name)
	}
	return ` (see "switchboard --help")`
}

func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
