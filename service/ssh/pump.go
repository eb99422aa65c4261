package ssh

import (
	"io"
	"sync"
)

// Sizes of what a direction moves at once, in bytes: one that carries little keeps the small buffer.
const (
	smallBuffer = 4 << 10
	largeBuffer = 256 << 10 // for each that is emptied, the library tells the far end how much more may come
	largeEvent  = 64 << 10
)

// pump moves what from reads to write until either ends. An error of reading is none: what ends there shows elsewhere.
func pump(from io.Reader, write func(p []byte) error) error {
	buf := make([]byte, smallBuffer)
	little := 0 // reads in a row that brought little
	for {
		n, err := from.Read(buf)
		for p := buf[:n]; len(p) > 0; {
			k := min(len(p), largeEvent)
			if err := write(p[:k]); err != nil {
				return err
			}
			p = p[k:]
		}
		if err != nil {
			return nil
		}
		switch {
		case n > smallBuffer:
			little = 0
		case n == smallBuffer && len(buf) == smallBuffer:
			buf, little = make([]byte, largeBuffer), 0
		case len(buf) == largeBuffer:
			if little++; little == littleAt { // a shell is not to hold it for what it once wrote
				buf = make([]byte, smallBuffer)
			}
		}
	}
}

// join takes what the channel is joined with, unless its session has ended: then that is closed.
func (ch *channel) join(f far) bool {
	ch.mu.Lock()
	ch.far = f
	ch.mu.Unlock()
	if ch.session.Ended() != nil {
		f.Close()
		return false
	}
	return true
}

// up carries what the client sends to the target. Its end is no end of the session.
func (ch *channel) up(f far) {
	defer close(ch.drained)
	err := pump(ch.client, func(p []byte) error {
		if err := ch.session.RecordReceived(p); err != nil {
			return err
		}
		err := ch.typeTo(f, p)
		ch.moved.Add(1)
		return err
	})
	if err == nil && ch.session.Ended() == nil {
		ch.session.RecordReceivedEnd()
		f.CloseWrite()
	}
}

// typeTo writes to the target, as one piece.
func (ch *channel) typeTo(f far, p []byte) error {
	ch.in.Lock()
	defer ch.in.Unlock()
	_, err := f.Write(p)
	return err
}

// down carries what the target sends to the client, until there is no more. Then it waits for ready, whose error ends it
// without the client being told that no more comes; errs and ready may be nil.
func (ch *channel) down(f io.Reader, errs io.Reader, ready func() error) error {
	var both sync.WaitGroup
	var failed error
	if errs != nil {
		both.Go(func() {
			failed = pump(errs, func(p []byte) error {
				_, err := ch.session.WriteErr(p)
				return err
			})
		})
	}
	err := pump(f, func(p []byte) error {
		_, err := ch.session.Write(p)
		return err
	})
	both.Wait()
	if err == nil {
		err = failed
	}
	if err == nil && ready != nil {
		err = ready()
	}
	if err == nil && ch.session.Ended() == nil {
		ch.session.CloseWrite()
	}
	if err == io.EOF { // the client's side is closed
		ch.hungUp()
		return ch.session.Ended()
	}
	return err
}
