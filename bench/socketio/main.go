//go:build linux

// Command socketio measures Socket.IO: fan-out to a room, latency, idle memory, handshakes, clients that stall and
// clients that are cut off. Beside it stand Node's socket.io, Centrifugo, and a loop that does little more than write(2).
// The server has one processor and the load another.
package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/switchboard-relay/switchboard/internal/benchkit"
)

var (
	only   = flag.String("only", "", "some of fan,turns,pace,idle,handshakes,stall,drop; default: all")
	with   = flag.String("sides", "", "some of serve,alone,node,centrifugo,bare; default: all")
	rounds = flag.Int("rounds", 3, "how many times each is measured")
)

func main() {
	benchkit.Main(benchkit.Bench{
		Name:  "socketio",
		About: "a room over WebSocket, the server on one processor and the load on another",
		Run:   run,
		Roles: map[string]benchkit.Role{crowdRole: serveCrowd, aloneRole: serveAlone, bareRole: serveBare},
	})
}

// listed reports whether a flag that lists some names has this one; an empty one has all.
func listed(list, name string) bool {
	names := strings.FieldsFunc(list, func(c rune) bool { return c == ',' })
	return len(names) == 0 || slices.Contains(names, name)
}

// results are the figures of each side in one scene, by their names, round by round.
type results map[string]map[string]benchkit.Series

func (res results) add(side string, found figures) {
	if res[side] == nil {
		res[side] = map[string]benchkit.Series{}
	}
	for name, v := range found {
		res[side][name] = append(res[side][name], v)
	}
}

func run(r *benchkit.Run) error {
	if limit := benchkit.FileLimit(); limit < handshakes+600 {
		return fmt.Errorf("this process may open %d files and needs %d: ulimit -n", limit, handshakes+600)
	}
	var there []*side
	for i := range sides {
		sd := &sides[i]
		if !listed(*with, sd.name) {
			continue
		}
		if ok, err := sd.ready(r); err != nil {
			return err
		} else if ok {
			there = append(there, sd)
		}
	}
	all := make([]results, len(scenes))
	source := 0
	for round := range *rounds {
		for i := range scenes {
			sc := &scenes[i]
			if !listed(*only, sc.name) {
				continue
			}
			if all[i] == nil {
				all[i] = results{}
			}
			for _, sd := range there {
				if slices.Contains(sc.without, sd.name) {
					continue
				}
				r.Progress("round %d of %d: %s: %s", round+1, *rounds, sc.name, sd.title)
				found, err := sc.measure(r, sd, source%2048)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", sc.name, sd.title, err)
				}
				all[i].add(sd.name, found)
				source += 32
			}
		}
	}
	for i := range scenes {
		if all[i] != nil {
			scenes[i].report(r, all[i], there)
		}
	}
	r.Note("%d rounds, new processes each; sides take turns. Messages of %d bytes carry their number and when they were "+
		"said; every receiver checks that it gets each once, whole and in order.", *rounds, messageSize)
	return nil
}
