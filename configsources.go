package switchboard

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/switchboard-relay/switchboard/service/source"
	"github.com/switchboard-relay/switchboard/session"
	"github.com/switchboard-relay/switchboard/threeend"
	"github.com/switchboard-relay/switchboard/web"
)

// SourceConfig is a three-end source: a program that holds sessions, and streams each when somebody wants to see it.
type SourceConfig struct {
	Name  string            `yaml:"name"`  // 1 to 64 letters, digits, "-", "_" and "."; unlike that of every listener
	Kinds map[string]string `yaml:"kinds"` // of operation, each with the HOST:PORT where the source has its sessions: {ssh: 192.0.2.10:7001}

	AnswerTimeout string `yaml:"answer_timeout"` // for connecting and the first frame or control, together; default 5s
	Linger        string `yaml:"linger"`         // how long a connection outlives its last viewer; default 1s
	MaxSessions   int    `yaml:"max_sessions"`   // open at once; default 1,000
	MaxDials      int    `yaml:"max_dials"`      // connections that are being made at once; others wait within answer_timeout; default 64
	Retry         string `yaml:"retry"`          // the most between attempts to reach an address that could not be; default 1m; 0s: none
	Record        string `yaml:"record"`         // on (default), strict or off
	OnFailure     string `yaml:"on_failure"`     // if recording fails: continue (default; end for strict) or end
	Terminal      string `yaml:"terminal"`       // until the source says how large it is; default 80x24
}

// Defaults of sources.
const (
	defaultAnswerTimeout = "5s"
	defaultLinger        = "1s"
	defaultRetry         = "1m"
	defaultSourceMax     = 1000
	defaultSourceDials   = 64
	mostSourceMax        = 100_000
	mostSourceDials      = 10_000
)

// sources checks the sources, and fills in what is not said.
func (c *checker) sources(conf *Config) {
	taken := map[string]string{web.RunListener: "the listener of what \"switchboard run\" runs",
		web.StreamListener: "the listener of what asciinema's program streams"}
	for _, l := range conf.Listeners {
		taken[l.Name] = "a listener"
	}
	for i := range conf.Sources {
		s := &conf.Sources[i]
		path := fmt.Sprintf("sources[%d]", i)
		switch err := threeend.CheckName(s.Name); {
		case s.Name == "":
			c.wrong(path, "name is missing: sessions of a source are called NAME/KIND:ID")
		case err != nil:
			c.wrong(path+".name", "%q: only letters, digits, -, _ and . are allowed, %d at most", s.Name, threeend.MaxName)
		case taken[s.Name] != "":
			c.wrong(path+".name", "%q is %s already: choose another name", s.Name, taken[s.Name])
		}
		taken[s.Name] = "a source"
		c.source(path, s)
	}
}

func (c *checker) source(path string, s *SourceConfig) {
	if len(s.Kinds) == 0 {
		c.wrong(path, "kinds are missing: where the source has each kind of session, as in kinds: {ssh: 192.0.2.10:7001}")
	}
	for _, kind := range slices.Sorted(maps.Keys(s.Kinds)) {
		address := s.Kinds[kind]
		if threeend.CheckName(kind) != nil {
			c.wrong(path+".kinds", "%q is no kind: only letters, digits, -, _ and . are allowed, %d at most", kind, threeend.MaxName)
			continue
		}
		if !isHostPort(address) {
			c.wrong(path+".kinds."+kind, "%q must be HOST:PORT, as in 192.0.2.10:7001", address)
		}
	}
	s.AnswerTimeout, s.Linger = cmp.Or(s.AnswerTimeout, defaultAnswerTimeout), cmp.Or(s.Linger, defaultLinger)
	s.Retry, s.Terminal = cmp.Or(s.Retry, defaultRetry), cmp.Or(s.Terminal, defaultTerminal)
	s.MaxSessions, s.MaxDials = cmp.Or(s.MaxSessions, defaultSourceMax), cmp.Or(s.MaxDials, defaultSourceDials)
	if d := c.duration(path+".answer_timeout", s.AnswerTimeout, ""); d < 100*time.Millisecond || d > time.Minute {
		c.wrong(path+".answer_timeout", "must be between 100ms and 1m")
	}
	c.duration(path+".linger", s.Linger, "")
	if d := c.duration(path+".retry", s.Retry, ""); d > 0 && d < time.Second {
		c.wrong(path+".retry", "must be at least 1s; or 0s, for no attempts")
	}
	if s.MaxSessions < 1 || s.MaxSessions > mostSourceMax {
		c.wrong(path+".max_sessions", "must be between 1 and %d", mostSourceMax)
	}
	if s.MaxDials < 1 || s.MaxDials > mostSourceDials {
		c.wrong(path+".max_dials", "must be between 1 and %d", mostSourceDials)
	}
	c.oneOf(path+".record", s.Record, "on", "strict", "off")
	c.oneOf(path+".on_failure", s.OnFailure, "end", "continue")
	if _, ok := session.ParseSize(s.Terminal); !ok {
		c.wrong(path+".terminal", "%q is no size of a terminal: write columns and rows, as in 80x24, each from 1 to %d",
			s.Terminal, session.MaxTerminal)
	}
}

func isHostPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	n, numeric := strconv.ParseUint(port, 10, 16)
	return err == nil && host != "" && numeric == nil && n > 0
}

// forService is the source as its service knows it.
func (s *SourceConfig) forService() source.Config {
	as := ListenerConfig{Record: s.Record, OnFailure: s.OnFailure}
	conf := source.Config{Name: s.Name, Kinds: s.Kinds, MaxSessions: s.MaxSessions, MaxDials: s.MaxDials, Record: as.record(),
		OnFailure: as.onFailure(), Terminal: s.Terminal}
	conf.AnswerTimeout, _ = ParseDuration(s.AnswerTimeout)
	conf.Linger, _ = ParseDuration(s.Linger)
	conf.Retry, _ = ParseDuration(s.Retry)
	return conf
}

func sourceConfigs(list []SourceConfig) []source.Config {
	confs := make([]source.Config, len(list))
	for i := range list {
		confs[i] = list[i].forService()
	}
	return confs
}
