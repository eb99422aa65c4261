package switchboard

import (
	"os"
	"path/filepath"

	"github.com/switchboard-relay/switchboard/session"
)

// Config is everything that can be set. The zero value of each field means its default; DefaultConfig is what runs
// with no configuration at all. Durations are written 500ms, 10s, 5m, 2h or 30d, sizes 64KiB, 10MiB or 20GiB.
type Config struct {
	Node      string           `yaml:"node"`      // 1 to 16 of a-z and 0-9; default: made once, kept in the data folder
	Data      string           `yaml:"data"`      // the data folder; default: DefaultData()
	HTTP      HTTPConfig       `yaml:"http"`      // the console, REST and metrics
	Recording RecordingConfig  `yaml:"recording"` // of all listeners
	Limits    LimitsConfig     `yaml:"limits"`
	Rooms     []RoomConfig     `yaml:"rooms"` // those that are to be other than the default
	Listeners []ListenerConfig `yaml:"listeners"`
	Sources   []SourceConfig   `yaml:"sources"`  // programs that stream their sessions when they are asked to
	Forwards  []ForwardConfig  `yaml:"forwards"` // where messages of devices go
}

// RoomConfig is a room: how bytes and events become each other in it, what it says by itself, and what it remembers. A room
// that only listeners name is one of text.
type RoomConfig struct {
	Name   string            `yaml:"name"`
	Format string            `yaml:"format"` // of bytes within events: text (default), json or base64
	Event  string            `yaml:"event"`  // the event that bytes become; default message
	Field  string            `yaml:"field"`  // of the event's object that holds the bytes; default: they are the argument itself
	Events map[string]string `yaml:"events"` // what Socket.IO members send, and as what the others get it; default {message: message}; {"*": "*"}: all, as they are

	Welcome  string `yaml:"welcome"`  // said to a new member
	Announce string `yaml:"announce"` // said to the others when a member comes
	Farewell string `yaml:"farewell"` // said to the others when a member goes
	Presence bool   `yaml:"presence"` // Socket.IO members are told who comes and goes, by the events joined and left

	History HistoryConfig `yaml:"history"`
	Record  string        `yaml:"record"` // on (default) or off
}

// HistoryConfig is how much of what was said a room's log keeps, for who follows the log to catch up. Nobody is shown it
// later: recordings are for that, and what a lost connection recovers has limits of its own.
type HistoryConfig struct {
	MaxMessages int    `yaml:"max_messages"` // default 10,000
	MaxBytes    string `yaml:"max_bytes"`    // default 16MiB
	MaxAge      string `yaml:"max_age"`      // default: no limit
}

// HTTPConfig is where the console, REST and metrics are served, and to whom.
type HTTPConfig struct {
	Listen    string        `yaml:"listen"`     // HOST:PORT; default 127.0.0.1:8081
	TLS       *TLSConfig    `yaml:"tls"`        // required beyond loopback
	Insecure  bool          `yaml:"insecure"`   // serve beyond loopback without TLS all the same
	Tokens    []TokenConfig `yaml:"tokens"`     // besides the administrator's, which lies in the data folder
	MaxImport string        `yaml:"max_import"` // bytes of a recording of another program that REST takes; default 1GiB
	Console   *bool         `yaml:"console"`    // serve the console's pages, and let people sign in there; default true

	// These two hold for the addresses of ws:// and socketio:// listeners too.
	Hosts   []string `yaml:"hosts"`   // other names of this server, as in chat.example.org
	Proxies []string `yaml:"proxies"` // addresses and networks of proxies; X-Forwarded-For of others is not believed
}

// TokenConfig lets somebody use the API. The token itself is not written down, only its SHA-256.
type TokenConfig struct {
	Name   string `yaml:"name"`   // shown as who did it
	Role   string `yaml:"role"`   // viewer, operator or admin
	SHA256 string `yaml:"sha256"` // of the token, 64 hexadecimal digits
}

// TLSConfig names the files of a certificate.
type TLSConfig struct {
	Cert     string `yaml:"cert"`      // PEM, the chain
	Key      string `yaml:"key"`       // PEM
	ClientCA string `yaml:"client_ca"` // PEM; if set, clients must show a certificate of it
}

// RecordingConfig is how recordings are written and how long they are kept.
type RecordingConfig struct {
	Sync      string          `yaml:"sync"`    // group (default): one fsync for all that waits; none: the system decides
	Queue     string          `yaml:"queue"`   // bytes that may wait for the disk; default 64MiB
	Journal   string          `yaml:"journal"` // beyond it live sessions move to files of their own; default 1GiB
	Retention RetentionConfig `yaml:"retention"`
}

// RetentionConfig says what is removed, the oldest first; pinned recordings never are.
type RetentionConfig struct {
	MaxAge  string `yaml:"max_age"`  // since the session ended; default: no limit
	MaxSize string `yaml:"max_size"` // of all recordings together; default: no limit
}

// LimitsConfig bounds what the whole process takes.
type LimitsConfig struct {
	Connections int `yaml:"connections"` // sockets of sessions; default: the limit of open files less a reserve
}

// ListenerConfig is one line: where it listens, what it does, and how it is recorded.
type ListenerConfig struct {
	Name       string     `yaml:"name"`         // letters, digits, hyphens; unique
	Listen     string     `yaml:"listen"`       // tcp://, tls://, udp:// or ssh:// HOST:PORT, unix:///PATH, ws:// or socketio:// HOST:PORT/PATH
	Service    string     `yaml:"service"`      // sink, echo, room, relay, shell, bastion, device or source-server
	Record     string     `yaml:"record"`       // on (default; source-server: off), strict or off
	OnFailure  string     `yaml:"on_failure"`   // if recording fails: continue (default; end for strict) or end
	Idle       string     `yaml:"idle"`         // silence that ends a session; default never, 60s for udp
	Max        int        `yaml:"max_sessions"` // at once; default no limit, 10000 for udp, ws and socketio
	KeepAlive  string     `yaml:"keepalive"`    // silence before TCP probes; default 15s, device: 10s
	WriteLimit string     `yaml:"write_limit"`  // bytes that may wait for a slow reader; default 1MiB
	TLS        *TLSConfig `yaml:"tls"`          // for tls://, ws:// and socketio://
	Terminal   string     `yaml:"terminal"`     // 80x24, columns and rows, if what is sent to clients is the screen of a terminal

	Announce         string `yaml:"announce"`          // how who is at a terminal is told that somebody types along: title (default), line or off
	AnnounceWatchers bool   `yaml:"announce_watchers"` // and that somebody only looks on, having joined

	Origins    []string        `yaml:"origins"`     // ws, socketio: other origins whose pages may connect, as in http://127.0.0.1:*
	MaxMessage string          `yaml:"max_message"` // ws, socketio: bytes of one message; default 1MiB, socketio 1MB
	SocketIO   *SocketIOConfig `yaml:"socketio"`    // socketio: all else

	Greeting string `yaml:"greeting"` // sink, echo: sent when a session begins
	Reply    string `yaml:"reply"`    // echo: time (default) or plain

	Room          string `yaml:"room"`           // room: its name; default the listener's
	ExcludeSender bool   `yaml:"exclude_sender"` // room: do not send a message back to who said it

	Upstream    string       `yaml:"upstream"`     // relay: tcp://, tls:// or udp:// HOST:PORT, or unix:///PATH
	DialTimeout string       `yaml:"dial_timeout"` // relay: default 5s; bastion: 10s, to the end of signing in at a target
	UpstreamTLS *UpstreamTLS `yaml:"upstream_tls"` // relay: for a tls:// upstream

	Command  []string `yaml:"command"`  // shell: the program and its arguments, which runs as the server's own user
	Dir      string   `yaml:"dir"`      // shell: where it runs; default the folder in which the server was started
	Env      []string `yaml:"env"`      // shell: NAME=VALUE, besides PATH, HOME, USER, LOGNAME, SHELL, LANG, LC_*, TZ and TERM
	Telnet   string   `yaml:"telnet"`   // shell: true, false, or auto (default): if the client answers; relay: true, if both ends speak it, or false (default)
	Insecure bool     `yaml:"insecure"` // shell, source-server: for anybody who reaches the address; else loopback, or TLS with client_ca

	Bastion *BastionConfig `yaml:"bastion"` // bastion: who may come in, and where they may go

	Device *DeviceConfig `yaml:"device"` // device: how devices are named, what they say, and who may come

	Listeners []string `yaml:"listeners"` // source-server: whose sessions are offered; default: those of all that are no source-servers
	Role      string   `yaml:"role"`      // source-server: of who asks: operator (default), or viewer, who may not kick
	Allow     []string `yaml:"allow"`     // source-server: addresses and networks that may ask; default: all that reach it
}

// SocketIOConfig is how the clients of a socketio:// listener are treated.
type SocketIOConfig struct {
	Namespace     string  `yaml:"namespace"`       // default "/"
	PingInterval  string  `yaml:"ping_interval"`   // default 25s
	PingTimeout   string  `yaml:"ping_timeout"`    // default 20s
	MaxPerAddress int     `yaml:"max_per_address"` // connections at once from one address; default 1,000; -1: no limit
	HandshakeRate float64 `yaml:"handshake_rate"`  // new connections a second from one address; default 100; -1: no limit
	MessageRate   float64 `yaml:"message_rate"`    // messages a second of one client, which is read slower beyond; default 1,000; -1: no limit
	Recovery      string  `yaml:"recovery"`        // for how long a lost connection can be recovered; default 2m; 0s: not at all
}

// UpstreamTLS is how the certificate of a tls:// upstream is judged.
type UpstreamTLS struct {
	CA         string `yaml:"ca"`          // PEM; default: the system's authorities
	ServerName string `yaml:"server_name"` // default: the upstream's host
	Insecure   bool   `yaml:"insecure"`    // accept any certificate
}

// DefaultConfigText is the configuration that runs when there is none, as a file with its comments.
const DefaultConfigText = `# Switchboard's configuration. Everything has a default; this is what runs without a file.
# Durations: 500ms, 10s, 5m, 2h, 30d. Sizes: 64KiB, 10MiB, 20GiB.

http:
  listen: 127.0.0.1:8081          # console, REST, metrics; beyond loopback it needs tls: {cert: …, key: …}

recording:
  sync: group                     # group: on disk by one fsync for all that waits; none: the system decides
  retention:
    # max_age: 90d                # remove recordings that ended longer ago
    # max_size: 20GiB             # and the oldest ones beyond this size; pinned ones stay

listeners:
  - name: hello                   # greets, receives, answers nothing
    listen: tcp://127.0.0.1:8080
    service: sink
    greeting: "Hello client!"

  - name: echo                    # answers every chunk with the time and the chunk
    listen: tcp://127.0.0.1:8000
    service: echo
    greeting: "Hello\n"

  - name: chat                    # every chunk goes to every client of the room
    listen: tcp://127.0.0.1:8800
    service: room
    room: chat

  - name: sensors                 # datagrams; each remote address and port is a session
    listen: udp://127.0.0.1:41234
    service: sink
    idle: 60s

  # A relay stands between its clients and an upstream, and records both directions.
  # Take the comment signs away, then: ssh -p 2222 127.0.0.1
  #
  # - name: line
  #   listen: tcp://127.0.0.1:2222
  #   service: relay
  #   upstream: tcp://127.0.0.1:22
  #   dial_timeout: 5s
  #   idle: 2h                    # silence that ends a session; default: never
  #   record: on                  # on; strict: bytes pass on only once they are on disk; off
  #   on_failure: continue        # if recording fails: continue (the gap is marked) or end

  # A source-server shows live sessions to programs that speak the three-end source protocol.
  #
  # - name: ours
  #   listen: tcp://127.0.0.1:7010
  #   service: source-server
  #   role: operator              # operator: they may kick as well; viewer

# A source is a program that holds sessions and streams each when somebody wants to see it. Take the comment signs
# away, then: switchboard source
#
# sources:
#   - name: plant
#     kinds: {ssh: 127.0.0.1:7001}    # each kind of session has an address; its sessions are ssh:ID, or plant/ssh:ID
#     answer_timeout: 5s              # connecting and the first frame or control, together
#     linger: 1s                      # how long a connection outlives its last viewer
#     max_sessions: 1000              # open at once
#     max_dials: 64                   # connections that are being made at once; more wait their turn
#     retry: 1m                       # the most between attempts to reach an address that could not be; 0s: none
#     record: on                      # on, strict or off
#     terminal: 80x24                 # until the source says how large it is
`

// DefaultConfig is the configuration that runs when there is none.
func DefaultConfig() Config {
	conf, err := ParseConfig("the default configuration", []byte(DefaultConfigText))
	if err != nil {
		panic("switchboard: " + err.Error())
	}
	return conf
}

// DefaultData is the data folder if none is named: $SWITCHBOARD_DATA, else the user's data folder.
func DefaultData() string {
	if dir := os.Getenv("SWITCHBOARD_DATA"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "switchboard")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "switchboard")
	}
	return "switchboard-data"
}

// defaults that depend on the transport or on other settings.
const (
	defaultHTTP      = "127.0.0.1:8081"
	defaultMaxImport = "1GiB"
	defaultUDPIdle   = "60s"
	defaultUDPMax    = 10_000
	defaultWebMax    = 10_000
)

// HasConsole reports whether the console is served.
func (h *HTTPConfig) HasConsole() bool { return h.Console == nil || *h.Console }

func (l *ListenerConfig) record() session.Record {
	if l.Record == "" {
		return session.RecordOn
	}
	return session.Record(l.Record)
}

func (l *ListenerConfig) onFailure() session.OnFailure {
	switch {
	case l.OnFailure != "":
		return session.OnFailure(l.OnFailure)
	case l.record() == session.RecordStrict:
		return session.OnFailureEnd
	}
	return session.OnFailureContinue
}
