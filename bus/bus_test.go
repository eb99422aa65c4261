package bus

import (
	"context"
	"errors"
	"testing"
	"time"
)

func openBus(t *testing.T) *Bus {
	t.Helper()
	b, err := Open(Options{StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestACommandReachesItsNodeAndItsErrorComesBack(t *testing.T) {
	b := openBus(t)
	err := b.Handle("kick", "n1", func(_ context.Context, data []byte) ([]byte, error) {
		if string(data) == "bad" {
			return nil, errors.New("not live")
		}
		return append([]byte("done "), data...), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if got, err := b.Request(ctx, "n1", "kick", []byte("x")); string(got) != "done x" || err != nil {
		t.Errorf("Request = %q, %v", got, err)
	}
	var remote *RemoteError
	if _, err := b.Request(ctx, "n1", "kick", []byte("bad")); !errors.As(err, &remote) || remote.Text != "not live" {
		t.Errorf("Request = %v; want the handler's error", err)
	}
}

func TestANodeThatIsNotThereIsSaidAtOnce(t *testing.T) {
	b := openBus(t)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := b.Request(ctx, "nobody", "kick", nil); !errors.Is(err, ErrNoNode) {
		t.Errorf("Request = %v; want ErrNoNode", err)
	}
}

func TestAStuckCommandDelaysNoOther(t *testing.T) {
	b := openBus(t)
	release := make(chan struct{})
	b.Handle("send", "n1", func(context.Context, []byte) ([]byte, error) { <-release; return nil, nil })
	b.Handle("kick", "n1", func(context.Context, []byte) ([]byte, error) { return []byte("kicked"), nil })
	stuck := make(chan error, 1)
	go func() {
		_, err := b.Request(context.Background(), "n1", "send", nil)
		stuck <- err
	}()
	if got, err := b.Request(context.Background(), "n1", "kick", nil); string(got) != "kicked" || err != nil {
		t.Errorf("Request = %q, %v; want kicked while the other is stuck", got, err)
	}
	close(release)
	if err := <-stuck; err != nil {
		t.Error(err)
	}
}

func TestAnyNumberOfStuckCommandsDelaysNoneOfAnotherVerb(t *testing.T) {
	b := openBus(t)
	release := make(chan struct{})
	b.Handle("send", "n1", func(context.Context, []byte) ([]byte, error) { <-release; return nil, nil })
	b.Handle("kick", "n1", func(context.Context, []byte) ([]byte, error) { return []byte("kicked"), nil })
	const n = 2 * maxCommands
	stuck := make(chan error, n)
	for range n {
		go func() {
			_, err := b.Request(context.Background(), "n1", "send", nil)
			stuck <- err
		}()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for range 20 {
		if got, err := b.Request(ctx, "n1", "kick", nil); string(got) != "kicked" || err != nil {
			t.Errorf("Request = %q, %v; want kicked while %d others are stuck", got, err, n)
			break
		}
	}
	close(release)
	for range n {
		if err := <-stuck; err != nil {
			t.Fatal(err)
		}
	}
}

func TestABusStartsAndStopsAgainAndAgain(t *testing.T) {
	dir := t.TempDir()
	for range 10 {
		b, err := Open(Options{StoreDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		bus, err := Open(Options{StoreDir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		bus.Close()
	}
}

func BenchmarkRequest(b *testing.B) {
	bus, err := Open(Options{StoreDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer bus.Close()
	bus.Handle("kick", "n1", func(_ context.Context, data []byte) ([]byte, error) { return data, nil })
	for b.Loop() {
		if _, err := bus.Request(context.Background(), "n1", "kick", nil); err != nil {
			b.Fatal(err)
		}
	}
}
