package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/switchboard-relay/switchboard/foreign"
	"github.com/switchboard-relay/switchboard/recording"
	"github.com/switchboard-relay/switchboard/session"
)

// ImportAs is what a recording of another program is listed as.
type ImportAs struct {
	Listener string // the name; "import" if it is empty
	Name     string // if the recording has no title
	File     string // its name, shown as the far end
	Ended    int64  // Unix µs: when a recording ended that does not say when it began; 0: now
}

// FileTransport is the transport of sessions that were imported.
const FileTransport = "file"

// Import makes a recording of another program one of this node's, with its own times. One that
// retention would remove at once is pinned. What is wrong with the recording is a *foreign.Error; then nothing of it is kept.
func (h *Hub) Import(ctx context.Context, tape foreign.Tape, as ImportAs) (session.Summary, error) {
	about := tape.Header()
	size := about.Size
	if !size.Valid() {
		size = session.DefaultSize
	}
	im := recording.Import{Info: session.Info{ID: session.NewID(h.node), Listener: cmp.Or(as.Listener, "import"),
		Transport: FileTransport, Remote: cmp.Or(as.File, "local"), Name: cmp.Or(about.Title, as.Name), Start: about.Start,
		Record: session.RecordOn, Terminal: size.String()}, Pin: h.tooOld}
	if about.Start == 0 {
		im.Info.Start = now()
		im.Ends = cmp.Or(as.Ended, im.Info.Start)
	}
	start := im.Info.Start
	im.Fill = func(add recording.AddFunc) (end session.End, err error) {
		for {
			e, err := tape.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err = cmp.Or(err, ctx.Err()); err != nil {
				return end, err
			}
			if err := add(e.Kind, start+e.Time, e.Data); err != nil {
				return end, err
			}
		}
		duration, exit := tape.End()
		return session.End{Time: start + duration, Cause: session.Done, Exit: exit}, nil
	}
	sum, err := h.store.Import(im)
	if err != nil {
		return sum, fmt.Errorf("import: %w", err)
	}
	return sum, nil
}

// tooOld reports whether retention would remove a recording for its age.
func (h *Hub) tooOld(sum session.Summary) bool {
	return h.keep.MaxAge > 0 && sum.End < time.Now().Add(-h.keep.MaxAge).UnixMicro()
}
