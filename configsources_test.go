package switchboard

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchboard-relay/switchboard/session"
)

// sourcing is a configuration of one source; more goes on with more of its keys.
func sourcing(name, more string) string {
	return fmt.Sprintf("sources:\n  - {name: %s, kinds: {ssh: '192.0.2.10:7001'}%s}", name, more)
}

func TestMistakesOfSourcesAreToldWithTheirMend(t *testing.T) {
	for text, want := range map[string]string{
		"sources: [{name: a}]":                                       "x.yaml:1:11: sources[0]: kinds are missing",
		"sources: [{kinds: {ssh: 'h:1'}}]":                           "sources[0]: name is missing",
		sourcing("a/b", ""):                                          `sources[0].name: "a/b": only letters`,
		sourcing("run", ""):                                          `"run" is the listener of what "switchboard run" runs already`,
		sourcing("a", "") + "\n  - {name: a, kinds: {x: 'h:1'}}":     `x.yaml:3:12: sources[1].name: "a" is a source already`,
		listing("a", "tcp://h:1", "sink") + "\n" + sourcing("a", ""): `"a" is a listener already`,
		"sources: [{name: a, kinds: {'s h': 'h:1'}}]":                `"s h" is no kind`,
		"sources: [{name: a, kinds: {ssh: 'h'}}]":                    `sources[0].kinds.ssh: "h" must be HOST:PORT`,
		"sources: [{name: a, kinds: {ssh: ':7001'}}]":                `":7001" must be HOST:PORT`,
		"sources: [{name: a, kinds: {ssh: 'h:0'}}]":                  `"h:0" must be HOST:PORT`,
		"sources: [{name: a, kinds: {ssh: 'tcp://h:1'}}]":            `"tcp://h:1" must be HOST:PORT`,
		sourcing("a", ", answer_timeout: 0s"):                        "must be between 100ms and 1m",
		sourcing("a", ", linger: soon"):                              `"soon" is no duration`,
		sourcing("a", ", retry: 1ms"):                                "must be at least 1s; or 0s",
		sourcing("a", ", max_sessions: -1"):                          "must be between 1 and 100000",
		sourcing("a", ", max_dials: 100000"):                         "must be between 1 and 10000",
		sourcing("a", ", record: never"):                             `"never" is not one of on, strict, off`,
		sourcing("a", ", on_failure: stop"):                          `"stop" is not one of end, continue`,
		sourcing("a", ", terminal: 80x0"):                            `"80x0" is no size of a terminal`,
		sourcing("a", ", max_session: 1"):                            `did you mean "max_sessions"?`,
	} {
		_, err := ParseConfig("x.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestASourceHasItsDefaults(t *testing.T) {
	conf, err := ParseConfig("x.yaml", []byte(sourcing("plant", "")))
	if err != nil {
		t.Fatal(err)
	}
	s := conf.Sources[0].forService()
	if s.Name != "plant" || s.Kinds["ssh"] != "192.0.2.10:7001" || s.AnswerTimeout != 5*time.Second || s.Linger != time.Second ||
		s.Retry != time.Minute || s.MaxSessions != 1000 || s.MaxDials != 64 || s.Record != session.RecordOn ||
		s.OnFailure != session.OnFailureContinue || s.Terminal != "80x24" {
		t.Errorf("the source is %+v", s)
	}
	conf, err = ParseConfig("x.yaml", []byte(sourcing("plant", ", linger: 0s, retry: 0s, record: strict, terminal: 132x43")))
	if err != nil {
		t.Fatal(err)
	}
	if s = conf.Sources[0].forService(); s.Linger != 0 || s.Retry != 0 || s.OnFailure != session.OnFailureEnd || s.Terminal != "132x43" {
		t.Errorf("the source is %+v", s)
	}
}

// The default configuration shows how a source is configured: what is behind the comment signs is right.
func TestTheSourceOfTheDefaultConfigurationIsWhole(t *testing.T) {
	_, shown, found := strings.Cut(DefaultConfigText, "# sources:\n")
	if !found {
		t.Fatal("it shows no source")
	}
	conf, err := ParseConfig("shown", []byte("sources:"+strings.ReplaceAll("\n"+shown, "\n# ", "\n")))
	if err != nil {
		t.Fatal(err)
	}
	plain, _ := ParseConfig("x.yaml", []byte("sources: [{name: plant, kinds: {ssh: '127.0.0.1:7001'}, record: on}]"))
	if got, want := fmt.Sprint(conf.Sources), fmt.Sprint(plain.Sources); got != want {
		t.Errorf("shown are %s; want the defaults, %s", got, want)
	}
}
