package simulate

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Fleet is simulated devices. Run is called once; the other methods may be called while it runs, by anybody.
type Fleet struct {
	config  Config
	kind    kind
	devices []*device
	dials   chan *device // that are to connect
	limiter limiter
	tally   tally

	ctx     context.Context // of Run
	fail    context.CancelCauseFunc
	paused  atomic.Bool
	over    atomic.Bool    // nobody connects any more
	began   atomic.Int64   // Unix ns; 0: Run was not called
	readers sync.WaitGroup // one for each connection
	others  sync.WaitGroup // goroutines of Run, and those that end within a limit
	dialed  atomic.Uint64  // connections that were tried
}

// New checks a configuration and makes its devices. None connects before Run.
func New(c Config) (*Fleet, error) {
	c, k, err := c.prepared()
	if err != nil {
		return nil, err
	}
	name, err := namer(k, c.NamePrefix, c.First, c.Devices)
	if err != nil {
		return nil, err
	}
	f := &Fleet{config: c, kind: k, dials: make(chan *device, 2*c.Devices), limiter: limiter{rate: c.ConnectRate}}
	f.paused.Store(c.Held)
	chance := rand.New(rand.NewPCG(c.Seed, 1))
	devices := make([]device, c.Devices)
	for i := range devices {
		devices[i] = device{fleet: f, name: name(i), drips: chance.Float64() < c.Drip}
		f.devices = append(f.devices, &devices[i])
	}
	return f, nil
}

// Files is how many open files the fleet may need.
func (f *Fleet) Files() int {
	twice := float64(f.config.Devices) * (f.config.Duplicates + f.config.BlackHoles) / 4
	return f.config.Devices + int(twice) + f.config.Dials/4 + spareFiles
}

// Run connects the devices and lets them live, until the time of the configuration is over or the context ends; then all
// of them end their connections. It fails if the very first connection does.
func (f *Fleet) Run(ctx context.Context) error {
	f.began.Store(time.Now().UnixNano())
	var stop context.CancelFunc
	ctx, f.fail = context.WithCancelCause(ctx)
	defer f.fail(nil)
	f.ctx, stop = context.WithCancel(ctx)
	if f.config.Lasts > 0 {
		f.ctx, stop = context.WithTimeout(ctx, f.config.Lasts)
	}
	defer stop()
	for range min(f.config.Dials, len(f.devices)) {
		f.others.Go(f.dialer)
	}
	for _, d := range f.devices {
		d.wanted = true
		f.dials <- d
	}
	shards := min(runtime.GOMAXPROCS(0), 4, len(f.devices))
	for i := range shards {
		var of []*device
		for n := i; n < len(f.devices); n += shards {
			of = append(of, f.devices[n])
		}
		if f.config.Rate > 0 {
			f.others.Go(func() {
				f.ring(of, time.Duration(float64(f.config.Together)*float64(time.Second)/f.config.Rate), (*device).say)
			})
		}
		if f.config.Heartbeat > 0 {
			f.others.Go(func() { f.ring(of, f.config.Heartbeat, (*device).beat) })
		}
	}
	f.others.Go(f.mischief)
	<-f.ctx.Done()
	f.end()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// end has all devices end their connections, and waits for that.
func (f *Fleet) end() {
	f.over.Store(true)
	f.paused.Store(true)
	for _, d := range f.devices {
		d.mu.Lock()
		d.timer(nil)
		for _, l := range []*link{d.link, d.older} {
			if l != nil {
				l.leave("over")
			}
		}
		d.mu.Unlock()
	}
	f.readers.Wait() // first: they may begin others
	f.others.Wait()
}

// ring gives each device its turn once in an interval, all of them spread over it.
func (f *Fleet) ring(devices []*device, interval time.Duration, turn func(d *device, space []byte) []byte) {
	const patience = time.Second // of what is late, before it is left out
	var space []byte
	step := float64(interval) / float64(len(devices))
	began, n := time.Now(), int64(0)
	for {
		due := int64(float64(time.Since(began)) / step)
		if f.paused.Load() {
			if !f.sleep(5 * time.Millisecond) {
				return
			}
			began = time.Now().Add(-time.Duration(float64(n) * step))
			continue
		}
		if late := due - n - int64(float64(patience)/step) - 1; late > 0 {
			f.tally.behind.Add(uint64(late) * uint64(f.config.Together))
			n += late
		}
		for ; n < due && !f.paused.Load(); n++ {
			space = turn(devices[n%int64(len(devices))], space[:0])
		}
		wait := time.Duration(float64(n+1)*step) - time.Since(began)
		if !f.sleep(max(wait, time.Millisecond)) {
			return
		}
	}
}

// sleep returns false once the fleet ends.
func (f *Fleet) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-f.ctx.Done():
		return false
	}
}

// Pause has the devices say nothing more, waits until each has one registered connection and all that it said is with the
// system, and leaves it so until Resume. Commands are answered meanwhile.
func (f *Fleet) Pause(ctx context.Context) error {
	f.paused.Store(true)
	for {
		restless := 0
		for _, d := range f.devices {
			if !d.rests() {
				restless++
			}
		}
		if restless == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return &RestlessError{restless, ctx.Err()}
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Resume ends a Pause.
func (f *Fleet) Resume() { f.paused.Store(false) }

// Name is the name of the i-th device.
func (f *Fleet) Name(i int) string { return f.devices[i].name }
