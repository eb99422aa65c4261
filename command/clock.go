package command

import (
	"container/heap"
	"time"

	"github.com/switchboard-relay/switchboard/device"
)

// clock is when something is to happen to commands: the earliest first. It is guarded by Queue.mu.
type clock struct {
	items []*item
	wake  chan struct{} // holds a value when the earliest changed
}

func (c *clock) Len() int           { return len(c.items) }
func (c *clock) Less(i, j int) bool { return c.items[i].due < c.items[j].due }
func (c *clock) Swap(i, j int) {
	c.items[i], c.items[j] = c.items[j], c.items[i]
	c.items[i].place, c.items[j].place = i+1, j+1
}

// Push implements heap.Interface.
func (c *clock) Push(x any) {
	it := x.(*item)
	c.items = append(c.items, it)
	it.place = len(c.items)
}

// Pop implements heap.Interface.
func (c *clock) Pop() any {
	last := len(c.items) - 1
	it := c.items[last]
	c.items[last] = nil
	c.items, it.place = c.items[:last], 0
	return it
}

// set has the item's time come at due, Unix µs.
func (c *clock) set(it *item, due int64) {
	it.due = due
	if it.place == 0 {
		heap.Push(c, it)
	} else {
		heap.Fix(c, it.place-1)
	}
	if it.place == 1 && c.wake != nil {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// clear has no time come for the item.
func (c *clock) clear(it *item) {
	if it.place != 0 {
		heap.Remove(c, it.place-1)
	}
}

// longestSleep is how long a change of the machine's clock may go unseen.
const longestSleep = 30 * time.Second

// keepTime has commands expire, and go unanswered, when it is time.
func (q *Queue) keepTime() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-q.stop:
			return
		case <-q.clock.wake:
		case <-timer.C:
		}
		timer.Reset(q.tick(time.Now().UnixMicro()))
	}
}

// tick does all that is due, and says when to come again.
func (q *Queue) tick(now int64) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.clock.items) > 0 && !q.closed {
		it := q.clock.items[0]
		if it.due > now {
			return min(time.Duration(it.due-now)*time.Microsecond+time.Microsecond, longestSleep)
		}
		q.clock.clear(it)
		switch {
		case it.state == device.Written:
			it.target.window = 0 // it sleeps again, or is deaf
			q.settle(it, device.Unanswered, "", now)
		case it.state == device.Queued && it.durable:
			it.target.take(it)
			q.settle(it, device.Expired, "", now)
		}
	}
	return longestSleep
}
