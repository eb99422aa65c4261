//go:build linux

package main

import (
	"github.com/switchboard-relay/switchboard/internal/benchkit"
	"github.com/switchboard-relay/switchboard/session"
)

// writeHour writes a session of an hour; make gives the i-th of so many events a second.
func writeHour(data string, segment int, info session.Info, kind session.Kind, perSecond int, make func(i int) []byte) error {
	p, err := benchkit.NewPast(data, segment, info)
	if err != nil {
		return err
	}
	for i := range 3600 * perSecond {
		if err := p.Add(kind, info.Start+int64(i)*1e6/int64(perSecond), make(i)); err != nil {
			return err
		}
	}
	return p.Close()
}
