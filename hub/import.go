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
	File     string // its name, shown as the far end; of a capture, in a note
	Ended    int64  // Unix µs: when a recording ended that does not say when it began; 0: now
}

// FileTransport is the transport of sessions that were imported.
const FileTransport = "file"

// Import makes a recording of another program one of this node's, with its own times. One that
// retention would remove at once is pinned. What is wrong with the recording is a *foreign.Error; then nothing of it is kept.
func (h *Hub) Import(ctx context.Context, tape foreign.Tape, as ImportAs) (session.Summary, error) {
	about := tape.Header()
	im := recording.Import{Info: session.Info{ID: session.NewID(h.node), Listener: cmp.Or(as.Listener, "import"),
		Transport: FileTransport, Remote: cmp.Or(as.File, "local"), Name: cmp.Or(about.Title, as.Name), Start: about.Start,
		Record: session.RecordOn}, Pin: h.tooOld}
	captured := about.Transport != ""
	if captured {
		im.Info.Transport, im.Info.Remote, im.Info.Local = about.Transport, about.Remote, about.Local
	} else {
		size := about.Size
		if !size.Valid() {
			size = session.DefaultSize
		}
		im.Info.Terminal = size.String()
	}
	if about.Start == 0 {
		im.Info.Start = now()
		im.Ends = cmp.Or(as.Ended, im.Info.Start)
	}
	start := im.Info.Start
	im.Fill = func(add recording.AddFunc) (end session.End, err error) {
		if captured && as.File != "" {
			if err := add(session.Noted, start, []byte("captured in "+as.File)); err != nil {
				return end, err
			}
		}
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
		end = tape.End()
		end.Time += start
		return end, nil
	}
	sum, err := h.store.Import(im)
	if err != nil {
		return sum, fmt.Errorf("import: %w", err)
	}
	return sum, nil
}

// ImportAll is Import of all that a file holds, one after the other. If one fails, none is kept.
func (h *Hub) ImportAll(ctx context.Context, tapes []foreign.Tape, as ImportAs) ([]session.Summary, error) {
	made := make([]session.Summary, 0, len(tapes))
	for _, tape := range tapes {
		sum, err := h.Import(ctx, tape, as)
		if err != nil {
			for _, sum := range made {
				err = errors.Join(err, h.takeBack(context.WithoutCancel(ctx), sum))
			}
			return nil, err
		}
		made = append(made, sum)
	}
	return made, nil
}

// takeBack removes what was imported just now.
func (h *Hub) takeBack(ctx context.Context, sum session.Summary) error {
	if sum.Pinned {
		if err := h.Pin(ctx, sum.ID, false); err != nil {
			return err
		}
	}
	return h.Delete(ctx, sum.ID)
}

// Spool is a file for what an import cannot hold in memory. The caller closes it, which removes it.
func (h *Hub) Spool() (*recording.Spool, error) { return h.store.Spool() }

// tooOld reports whether retention would remove a recording for its age.
func (h *Hub) tooOld(sum session.Summary) bool {
	return h.keep.MaxAge > 0 && sum.End < time.Now().Add(-h.keep.MaxAge).UnixMicro()
}
